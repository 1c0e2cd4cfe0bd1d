"""Do pictures climbed out of a model look like the people in its training set? Judged without asking it.

The attacked model always likes what was made to please it. So another classifier says what it sees, and the
pictures are correlated with training images, beside what chance and fresh images of the class would give.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from hauberk.attacks.inference import Inversion, InversionResult
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.files import write_atomic
from hauberk.core.intervals import wilson
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset
from hauberk.evaluation.chance import repeatable
from hauberk.evaluation.flags import Flag
from hauberk.evaluation.judge import predictions
from hauberk.evaluation.pictures import image_record
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier
from hauberk.models.training import accuracy
from hauberk.reports.canvas import BAD, GOOD, Canvas
from hauberk.reports.fields import Fields
from hauberk.reports.images import decode, enlarge, picture, png

_GALLERY_CLASSES = 10
_JUDGE_LEAST = 0.8  # accuracy from which a judge's word counts
_RANDOM = 100  # random images for the baseline


@dataclass(frozen=True, eq=False)
class InversionReport:
    """Args:
    evidence: of kind ``inversion``.
    results: what each attack handed out.
    """

    evidence: Evidence
    results: tuple[InversionResult, ...]

    def save_picture(self, path: str | Path) -> None:
        """A PNG: the mean training image of each class, and below it what each attack made of the class."""
        write_atomic(path, png(_grid(self.evidence)))


def correlation(pictures: Tensor, others: Tensor) -> Tensor:
    """Pearson correlation of values, ``(k, m)`` for ``k`` and ``m`` images; 0 for an image of one value.

    Blind to brightness and contrast, which an inversion cannot know; not to shifts.
    """

    def standard(images: Tensor) -> Tensor:
        rows = images.double().flatten(1)
        rows = rows - rows.mean(dim=1, keepdim=True)
        length = rows.norm(dim=1, keepdim=True)
        return torch.where(length > 1e-9, rows / length.clamp_min(1e-9), 0.0)

    return standard(pictures) @ standard(others).T


@repeatable
def inversion_report(
    target: Classifier,
    members: Dataset,
    fresh: Dataset,
    judge: Classifier,
    attacks: Sequence[Inversion],
    *,
    population: Tensor | None = None,
    classes: Sequence[int] | None = None,
    seed: int = 0,
    name: str = "model",
    progress: Progress = SILENT,
) -> InversionReport:
    """Invert a model class by class, and judge the pictures.

    Args:
        members: what the target was trained on.
        fresh: images of the same kind that it never saw.
        judge: another classifier, trained on none of ``members``.
        attacks: configured inversions, each once.
        population: the attacker's own images, for the attacks that use some.
        classes: which to invert; None takes all that ``members`` has.
        seed: names the random baseline.

    Raises:
        ConfigError: the judge is the target, or answers other questions; classes that are not there.

    Limits: ten classes are few; look at the interval. A likeness to the mean of a class is no person's
        picture: only ``nearest_member`` well above ``nearest_fresh`` speaks of one.
    """
    started = time.perf_counter()
    for one in (target, judge):
        check_classifier(one)
    wanted = _wanted(target, judge, members, fresh, attacks, classes)
    means = torch.stack([members.images[members.labels == one].mean(dim=0) for one in wanted.tolist()])
    rows, results, gallery = [], [], []
    for attack in attacks:
        result = attack(target, wanted, population=population, progress=progress)
        found = _Likeness.of(result.images, wanted, means, members, fresh, judge)
        rows.append(
            {
                "name": attack.name,
                "recipe": result.recipe,
                **found.summary(),
                "start_correlation": float(correlation(result.start, means).diagonal().mean()),
                "gradients": result.gradients,
                "seconds": round(result.seconds, 3),
                "pictures": found.rows(result),
            }
        )
        results.append(result)
        gallery += [
            {
                "attack": attack.name,
                "label": label,
                "class": target.labels[label],
                "prediction": int(found.prediction[row]),
                "prediction_class": target.labels[int(found.prediction[row])],
                "picture": image_record(result.images[row], target),
                "mean": image_record(means[row], target),
            }
            for row, label in enumerate(wanted.tolist()[:_GALLERY_CLASSES])
        ]
    judge_accuracy = accuracy(judge, members.images, members.labels)
    evidence = Evidence(
        kind="inversion",
        subject={"name": name, "digest": target.digest},
        inputs={
            "dataset": members.describe(),
            "fresh": fresh.describe(),
            "judge": {"digest": judge.digest, "architecture": judge.architecture},
        },
        parameters={
            "attacks": [repr(attack) for attack in attacks],
            "classes": wanted.tolist(),
            "population": 0 if population is None else len(population),
            "device": str(target.device),
        },
        result={
            "classes": len(wanted),
            "judge_accuracy": judge_accuracy,
            "attacks": rows,
            "random": _random_baseline(target, wanted, means, judge, seed),
            "gallery": gallery,
            "flags": [flag.describe() for flag in weak_judge(judge_accuracy)],
        },
        seed=seed,
        parents=(target.evidence[-1].digest,) if target.evidence else (),
        duration_s=round(time.perf_counter() - started, 3),
    )
    return InversionReport(evidence, tuple(results))


def _wanted(
    target: Classifier,
    judge: Classifier,
    members: Dataset,
    fresh: Dataset,
    attacks: Sequence[Inversion],
    classes: Sequence[int] | None,
) -> Tensor:
    names = [attack.name for attack in attacks]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"name at least one inversion, each once; got {names}")
    if judge.digest == target.digest:
        raise ConfigError("the judge is the attacked model itself", hint="train another one on other images")
    if judge.input_shape != target.input_shape or judge.labels != target.labels:
        raise ConfigError("the judge has other inputs or classes than the attacked model")
    for data in (members, fresh):
        if data.input_shape != target.input_shape or len(data.classes) != target.num_classes:
            raise ConfigError(f"{data.name} does not fit the attacked model")
    there = sorted(set(members.labels.tolist()))
    if classes is None:
        return torch.tensor(there)
    strange = [one for one in classes if one not in there]
    if strange or not classes or len(set(classes)) != len(classes):
        raise ConfigError(f"classes must be some of {there}, each once; got {list(classes)}")
    return torch.tensor(list(classes))


@dataclass(frozen=True, eq=False)
class _Likeness:
    """What pictures resemble, one row each."""

    wanted: Tensor
    prediction: Tensor  # the judge's
    probability: Tensor  # the judge's, of the wanted class
    to_means: Tensor  # (k, k)
    nearest_member: Tensor
    nearest_fresh: Tensor

    @classmethod
    def of(
        cls,
        images: Tensor,
        wanted: Tensor,
        means: Tensor,
        members: Dataset,
        fresh: Dataset,
        judge: Classifier,
    ) -> _Likeness:
        with torch.no_grad():
            answers = judge(images.to(judge.device)).float().softmax(dim=1).cpu()
        nearest = torch.tensor(
            [
                _nearest(image, label, members, fresh)
                for image, label in zip(images, wanted.tolist(), strict=True)
            ]
        )
        return cls(
            wanted,
            answers.argmax(dim=1),
            answers.gather(1, wanted[:, None]).squeeze(1),
            correlation(images, means),
            nearest[:, 0],
            nearest[:, 1],
        )

    @property
    def own(self) -> Tensor:
        return self.to_means.diagonal()

    @property
    def others(self) -> Tensor:
        """The best of the other classes' means; -1 where there is no other."""
        if len(self.wanted) == 1:
            return torch.full_like(self.own, -1.0)
        away = self.to_means.clone().fill_diagonal_(-torch.inf)
        return away.max(dim=1).values

    def summary(self) -> dict[str, Any]:
        count = len(self.wanted)
        recognised = int((self.prediction == self.wanted).sum())
        matched = int((self.own > self.others).sum())
        return {
            "recognised": recognised / count,
            "recognised_interval": list(wilson(recognised, count)),
            "matched": matched / count,
            "matched_interval": list(wilson(matched, count)),
            "mean_correlation": float(self.own.mean()),
            "other_correlation": float(self.others.mean()),
            "nearest_member": float(self.nearest_member.mean()),
            "nearest_fresh": float(self.nearest_fresh.mean()),
        }

    def rows(self, result: InversionResult) -> list[dict[str, Any]]:
        return [
            {
                "label": int(self.wanted[row]),
                "target_probability": float(result.probability[row]),
                "prediction": int(self.prediction[row]),
                "probability": float(self.probability[row]),
                "mean_correlation": float(self.own[row]),
                "other_correlation": float(self.others[row]),
                "nearest_member": float(self.nearest_member[row]),
                "nearest_fresh": float(self.nearest_fresh[row]),
            }
            for row in range(len(self.wanted))
        ]


def _nearest(image: Tensor, label: int, members: Dataset, fresh: Dataset) -> tuple[float, float]:
    """Correlation with the most alike member and fresh image of a class, among equally many of both.

    More images would hold a nearer one by chance alone. -1 where a side has none.
    """
    sides = [data.images[data.labels == label] for data in (members, fresh)]
    most = min(len(side) for side in sides)
    if not most:
        return -1.0, -1.0
    # spread over the class: files are often in the order in which people came
    picks = [side[torch.linspace(0, len(side) - 1, most).round().long()] for side in sides]
    near_member, near_fresh = (float(correlation(image[None], pick).max()) for pick in picks)
    return near_member, near_fresh


def _random_baseline(
    target: Classifier, wanted: Tensor, means: Tensor, judge: Classifier, seed: int
) -> dict[str, Any]:
    """The same questions to uniform noise: what chance alone reaches."""
    source = torch.Generator().manual_seed(derive_seed(seed, "random pictures"))
    lower, upper = target.bounds.tensors(torch.empty(1, *target.input_shape))
    noise = lower + (upper - lower) * torch.rand((_RANDOM, *target.input_shape), generator=source)
    asked = wanted.repeat(-(-_RANDOM // len(wanted)))[:_RANDOM]
    right = int((predictions(judge, noise) == asked).sum())
    alike = correlation(noise, means)[torch.arange(_RANDOM), torch.arange(_RANDOM) % len(wanted)]
    return {
        "recognised": right / _RANDOM,
        "recognised_interval": list(wilson(right, _RANDOM)),
        "mean_correlation": float(alike.mean()),
    }


def weak_judge(share: float) -> list[Flag]:
    """HB305: the judge errs often on real images."""
    if share >= _JUDGE_LEAST:
        return []
    return [
        Flag(
            "HB305",
            f"the judge is right on {share:.0%} of the training images only: that it does not recognise a "
            "picture proves little",
        )
    ]


_GAP, _ROWS, _TOP = 14, 150, 44  # px: between cells, for the names of rows, for the names of classes


def _grid(evidence: Evidence) -> Image.Image:
    """Columns are classes; the first row is the mean training image, then one row for each attack."""
    gallery = evidence.result["gallery"]
    attacks = list(dict.fromkeys(one["attack"] for one in gallery))
    labels = list(dict.fromkeys(one["label"] for one in gallery))

    def shown(record: dict[str, Any]) -> Image.Image:
        return enlarge(picture(decode(Fields(record, digest=evidence.digest, path="result.gallery"))))

    width, height = shown(gallery[0]["mean"]).size
    step_x, step_y = width + _GAP, height + 30
    canvas = Canvas(_ROWS + len(labels) * step_x + _GAP, _TOP + (1 + len(attacks)) * step_y + _GAP)
    for row, text in enumerate(["mean of the class", *attacks]):
        middle = _TOP + row * step_y + height / 2 - 8
        canvas.write(text, _GAP, middle, width=_ROWS - 2 * _GAP, size=15, align="start")
    for one in gallery:
        x, row = _ROWS + labels.index(one["label"]) * step_x, 1 + attacks.index(one["attack"])
        y = _TOP + row * step_y
        canvas.write(one["class"], x, _TOP - 28, width=width, size=16)
        canvas.paste(shown(one["mean"]), x, _TOP)
        canvas.paste(shown(one["picture"]), x, y)
        good = one["prediction"] == one["label"]
        canvas.write(f"judge: {one['prediction_class']}", x, y + height + 4, width=width, size=13,
                     colour=GOOD if good else BAD)  # fmt: skip
    return canvas.image
