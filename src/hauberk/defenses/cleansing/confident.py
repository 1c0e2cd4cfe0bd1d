"""Labels that the rest of the data contradicts, by confident learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import SEED_BITS, derive_seed
from hauberk.core.settings import require_count
from hauberk.datasets import Dataset
from hauberk.defenses.cleansing.checks import by_class, check_fits
from hauberk.defenses.cleansing.rows import Finding, RowCleansing
from hauberk.defenses.defense import restarted
from hauberk.models import Classifier
from hauberk.models.training import train
from hauberk.models.twin import pass_size, passes


@dataclass(frozen=True, kw_only=True)
class ConfidentLearning(RowCleansing):
    """Drops rows that networks which never saw them are sure to be of another class.

    Args:
        folds: parts of the data; each is judged by a network that learnt from the others.

    Cost: ``folds`` trainings, and one on what is left.
    Limits: finds labels that contradict the images. A backdoor's rows come in a bunch that the folds learn
        too, so that they look right; so do flips that outnumber the honest rows of a class. Rare and hard
        images are dropped with the wrong ones.
    Source: Northcutt, Jiang, Chuang, JAIR 70, 2021: out-of-sample probabilities, the thresholds of equation 2,
        rows off the diagonal of the confident joint ("confident learning, C_confident"). Probabilities come
        from fresh networks of the classifier's kind, folds are balanced by label.
    """

    name: ClassVar[str] = "confident-learning"

    folds: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("folds", self.folds, "ConfidentLearning", least=2)

    def find(
        self, classifier: Classifier, data: Dataset, *, seed: int = 0, progress: Progress = SILENT
    ) -> Finding:
        """As ``RowCleansing.find``; scores are the surest other class's probability less that of the label."""
        check_fits(classifier, data)
        probabilities = self._out_of_sample(classifier, data, seed, progress)
        likeliest = confident_class(probabilities, data.labels)
        own = probabilities.gather(1, data.labels[:, None]).squeeze(1)
        others = probabilities.scatter(1, data.labels[:, None], -1.0).max(dim=1).values
        flagged = (likeliest >= 0) & (likeliest != data.labels)
        seen = [
            {
                "label": label,
                "samples": int((data.labels == label).sum()),
                "flagged": int(flagged[data.labels == label].sum()),
            }
            for label in range(len(data.classes))
        ]
        return Finding(others - own, flagged, tuple(seen))

    def _out_of_sample(self, classifier: Classifier, data: Dataset, seed: int, progress: Progress) -> Tensor:
        """Float64 ``(n, classes)``: of each row, from a network that did not learn from it."""
        fold = torch.empty(len(data), dtype=torch.int64)
        generator = torch.Generator().manual_seed(derive_seed(seed, "folds"))
        for rows in by_class(data, self.folds, self.name).values():
            shuffled = rows[torch.randperm(len(rows), generator=generator)]
            fold[shuffled] = torch.arange(len(rows)) % self.folds
        found = torch.empty(len(data), len(data.classes), dtype=torch.float64)
        for number in range(self.folds):
            own = derive_seed(seed, "fold", number) >> (SEED_BITS - 53)  # what a JSON number keeps exactly
            learnt = data.select((fold != number).nonzero().squeeze(1), note=f"without fold {number}")
            model = train(
                restarted(classifier, own),
                learnt,
                self.plan,
                seed=own,
                name=f"fold {number}",
                progress=progress,
            )
            rows = (fold == number).nonzero().squeeze(1)
            found[rows] = _probabilities(model, data.images[rows])
        return found


@torch.no_grad()
def _probabilities(model: Classifier, images: Tensor) -> Tensor:
    parts = [
        model(images[part].to(model.device)).double().softmax(dim=1).cpu()
        for part in passes(len(images), pass_size(model))
    ]
    return torch.cat(parts)


def confident_class(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The class that each row is confidently of, int64 ``(n,)``; -1 where it is of none.

    A row is confidently of a class whose probability reaches the mean over the rows that carry that label;
    of several such classes, of the likeliest.
    """
    classes = probabilities.shape[1]
    there = [label for label in range(classes) if bool((labels == label).any())]
    threshold = torch.full((classes,), torch.inf, dtype=probabilities.dtype)
    for label in there:
        threshold[label] = probabilities[labels == label, label].mean()
    reached = torch.where(probabilities >= threshold, probabilities, -1.0)
    surest = reached.max(dim=1)
    return torch.where(surest.values >= 0, surest.indices, -1)
