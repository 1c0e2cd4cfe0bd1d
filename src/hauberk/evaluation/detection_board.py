"""The score board of a detector: who fools the network, and of those who gets past the detector."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from hauberk.core.intervals import wilson
from hauberk.core.progress import Progress
from hauberk.core.seeds import derive_seed
from hauberk.evaluation.cascade import Stage
from hauberk.evaluation.judge import judge, predictions
from hauberk.evaluation.membership import judge_membership
from hauberk.models import Classifier
from hauberk.models.twin import pass_size, passes
from hauberk.threats import ThreatModel

RATE = 0.05  # of false alarms, at which scores are compared whatever the threshold


@torch.no_grad()
def suspicion(classifier: Classifier, images: Tensor) -> Tensor:
    """How far the refusal's logit is ahead of the largest other one, float64 ``(n,)`` on the CPU.

    Above 0 the input is refused. It rises with the score of the detector, or of the strictest of several.
    """
    found = []
    for part in passes(len(images), pass_size(classifier)):
        logits = classifier(images[part].to(classifier.device)).double().cpu()
        found.append(logits[:, -1] - logits[:, :-1].amax(dim=1))
    return torch.nan_to_num(torch.cat(found), nan=torch.inf)


class Board:
    """What attacks made of each sample; all tensors on the CPU, one row a sample.

    Args:
        classifier: network and detector, which the judge asks.
        network: the same without the parts that may refuse.
    """

    def __init__(
        self,
        classifier: Classifier,
        network: Classifier,
        images: Tensor,
        labels: Tensor,
        threat: ThreatModel,
        seed: int,
        progress: Progress,
    ) -> None:
        self.classifier, self.network = classifier, network
        self.images, self.labels, self.threat = images, labels, threat
        self._seed, self._progress = seed, progress
        self.prediction = predictions(classifier, images)
        self.kept = self.prediction == labels
        self.refused = self.prediction == classifier.num_classes
        self._network_right = predictions(network, images) == labels
        self._clean_scores = suspicion(classifier, images)
        self.rows: list[dict[str, Any]] = []
        self._scores: list[Tensor] = []
        self.candidates = images.clone()
        self.least = torch.full((len(images),), torch.inf, dtype=torch.float64)
        self.fooled = torch.zeros(len(images), dtype=torch.bool)
        self.evaded = torch.zeros(len(images), dtype=torch.bool)
        self._blind = self.kept.clone()
        self._by: list[str | None] = [None] * len(images)

    @property
    def usual_lead(self) -> float:
        """The margin in logits that the network usually has for its own answer on clean images."""
        with torch.no_grad():
            logits = torch.cat(
                [
                    self.network(self.images[part].to(self.network.device)).cpu()
                    for part in passes(len(self.images), pass_size(self.network))
                ]
            )
        first, second = logits.topk(2, dim=1).values.unbind(dim=1)
        return float((first - second).median())

    @property
    def zero_share(self) -> float:
        """Of the samples that stand: those where no adaptive attack had a gradient to begin with."""
        standing = self.kept & ~self.evaded
        return float(self._blind[standing].double().mean()) if bool(standing.any()) else 0.0

    def run(self, stage: Stage, attacked: Classifier, *, adaptive: bool = False) -> None:
        """Attack ``attacked``, judge the candidates on network and whole; an adaptive one leaves the fallen."""
        standing = self.kept & ~self.evaded if adaptive else self.kept
        if stage.carried:
            standing = standing & self.fooled
        rows = standing.nonzero().squeeze(1)
        name = f"{stage.label} on {'the whole' if adaptive else 'the network'}"
        begun, scores = time.perf_counter(), torch.zeros(0, dtype=torch.float64)
        tally = {"fooled": 0, "detected": 0, "evaded": 0, "invalid": 0}
        if len(rows):
            result = stage.attack(
                attacked,
                self.images[rows],
                self.labels[rows],
                self.threat,
                seed=derive_seed(self._seed, "detection", len(self.rows)),
                indices=rows,
                gradients_from=stage.gradients_from,
                starts=self.candidates[rows] if stage.carried else None,
                progress=self._progress,
            )
            if adaptive:
                self._blind[rows] &= result.zero_gradient
            tally, scores = self._judge(name, rows, result.candidates)
        self._scores.append(scores)
        self.rows.append(
            {
                "name": name,
                "adaptive": adaptive,
                "recipe": stage.recipe,
                "attacked": len(rows),
                **tally,
                "robust_after": int((self.kept & ~self.evaded).sum()) / len(self.images),
                "seconds": round(time.perf_counter() - begun, 3),
            }
        )

    def _judge(self, name: str, rows: Tensor, candidates: Tensor) -> tuple[dict[str, int], Tensor]:
        """Enter candidates for ``rows``; what became of them, and the scores of those that fool the network."""
        about = (self.images[rows], candidates, self.labels[rows], self.threat)
        alone, whole = judge(self.network, *about), judge(self.classifier, *about)
        fooled = alone.broken | whole.broken
        scores = suspicion(self.classifier, candidates)
        better = fooled & (scores < self.least[rows])
        self.candidates[rows[better]] = candidates[better].to(self.images.dtype)
        self.least[rows[better]] = scores[better]
        self.fooled[rows[fooled]] = True
        for row in rows[whole.broken & ~self.evaded[rows]].tolist():
            self._by[row] = name
        self.evaded[rows[whole.broken]] = True
        refused = whole.prediction == self.classifier.num_classes
        tally = {
            "fooled": int(fooled.sum()),
            "detected": int((fooled & refused).sum()),
            "evaded": int(whole.broken.sum()),
            "invalid": int(alone.invalid.sum()),
        }
        return tally, scores[fooled]

    def clean(self) -> dict[str, Any]:
        """What happens to images that nobody attacked."""
        mistakes = ~self._network_right
        return {
            "samples": len(self.images),
            **_share("network_accuracy", "network_interval", self._network_right),
            **_share("clean_accuracy", "clean_interval", self.kept),
            **_share("false_positive_rate", "false_positive_interval", self.refused),
            "mistakes": int(mistakes.sum()),
            "mistakes_refused": int((mistakes & self.refused).sum()),
        }

    def best_alone(self) -> dict[str, Any]:
        """What the attack reached, of those run so far, that got most past the detector."""
        place = max(range(len(self.rows)), key=lambda one: int(self.rows[one]["evaded"]))
        row = self.rows[place]
        return self._summary([row["name"]], row["fooled"], row["detected"], row["evaded"], self._scores[place])

    def all_together(self) -> dict[str, Any]:
        """What they all reached, each sample taken at its least suspicious."""
        fooled, evaded = int(self.fooled.sum()), int(self.evaded.sum())
        detected = int((self.fooled & ~self.evaded & (self.least > 0)).sum())
        names = [row["name"] for row in self.rows]
        return self._summary(names, fooled, detected, evaded, self.least[self.fooled])

    def _summary(
        self, names: list[str], fooled: int, detected: int, evaded: int, scores: Tensor
    ) -> dict[str, Any]:
        standing, samples = int(self.kept.sum()) - evaded, len(self.images)
        return {
            "attacks": names,
            "fooled": fooled,
            "detected": detected,
            "evaded": evaded,
            "detected_share": detected / fooled if fooled else None,
            "detected_interval": list(wilson(detected, fooled)) if fooled else None,
            "robust_accuracy": standing / samples,
            "robust_interval": list(wilson(standing, samples)),
            **_told_apart(self._clean_scores, scores),
        }

    def verdicts(self) -> list[dict[str, Any]]:
        return [
            {
                "index": row,
                "label": int(self.labels[row]),
                "clean_prediction": int(self.prediction[row]),
                "status": self._status(row),
                "by": self._by[row],
            }
            for row in range(len(self.images))
        ]

    def _status(self, row: int) -> str:
        if not self.kept[row]:
            return "refused" if self.refused[row] else "misclassified"
        if self.evaded[row]:
            return "evaded"
        return "detected" if self.fooled[row] else "robust"


def _share(key: str, interval: str, hits: Tensor) -> dict[str, Any]:
    count = int(hits.sum())
    return {key: count / len(hits), interval: list(wilson(count, len(hits)))}


def _told_apart(clean: Tensor, adversarial: Tensor) -> dict[str, Any]:
    """How well the score tells adversarial inputs from clean ones, whatever the threshold."""
    if not len(adversarial):
        return {"auc": None, "auc_interval": None, "tpr_at_0.05": None, "tpr_at_0.05_interval": None, "roc": []}
    truth = torch.arange(len(clean) + len(adversarial)) >= len(clean)
    verdict = judge_membership(torch.cat([clean, adversarial]), truth)
    threshold = clean.sort(descending=True).values[int(RATE * len(clean) + 1e-9)]
    return {
        "auc": verdict.auc,
        "auc_interval": list(verdict.auc_interval),
        **_share("tpr_at_0.05", "tpr_at_0.05_interval", adversarial > threshold),
        "roc": [list(point) for point in verdict.roc],
    }
