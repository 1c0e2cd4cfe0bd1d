"""Label flipping, the Chinese texts' "L-PDA": images stay, labels lie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.objectives import attacker_margin
from hauberk.attacks.poisoning.poisoner import Changes, Job, Poisoner, check_class, require_class
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_number
from hauberk.datasets import Dataset


@dataclass(frozen=True, kw_only=True, repr=False)
class RandomFlip(Poisoner):
    """Random samples get a random wrong label: noise, the base line for every other flip.

    Limits: networks outvote it; that they do says nothing about flips that were chosen.
    Source: the uniform noise that chosen flips are compared with in Biggio, Nelson, Laskov, ACML 2011.
    """

    name: ClassVar[str] = "random-flip"

    def eligible(self, data: Dataset) -> Tensor:
        return torch.ones(len(data), dtype=torch.bool)

    def run(self, job: Job) -> Changes:
        rows = job.draw(torch.arange(len(job.data)))
        classes = len(job.data.classes)
        shift = 1 + job.streams[rows].fork(0).integers(classes - 1, ())
        return Changes(rows, (job.data.labels[rows] + shift) % classes)


@dataclass(frozen=True, kw_only=True, repr=False)
class ClassFlip(Poisoner):
    """Random samples of one class get the label of another, so that the model takes the one for the other.

    Args:
        source: the class that suffers.
        target: the label that its samples get.

    Source: Tolpegin et al., ESORICS 2020 (there for some of the clients of federated learning; here for a
    share of the samples).
    """

    name: ClassVar[str] = "class-flip"

    source: int
    target: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require_class("source", self.source, "ClassFlip")
        require_class("target", self.target, "ClassFlip")
        if self.source == self.target:
            raise ConfigError(f"ClassFlip: source and target are the same class, {self.source}")

    def wants(self) -> tuple[int | None, int | None]:
        return self.source, self.target

    def eligible(self, data: Dataset) -> Tensor:
        check_class("source", self.source, data)
        check_class("target", self.target, data)
        return data.labels == self.source

    def run(self, job: Job) -> Changes:
        rows = job.draw(self.eligible(job.data).nonzero().squeeze(1))
        return Changes(rows, torch.full_like(rows, self.target))


@dataclass(frozen=True, kw_only=True, repr=False)
class WorstFlip(Poisoner):
    """The flips that hurt most: one class after another, its surest samples, all to one wrong label.

    Random flips are outvoted by the honest samples around them. So the budget is not spread: a class is taken
    over by flipping the ``share`` of its samples that a reference model recognises with the largest margin
    (the middle of the class, where the vote is decided) to the label that the reference finds least likely
    for that class. Then comes the next class, the most confidently recognised ones first. What is left when
    all classes are taken goes to the remaining samples in the same order.

    Args:
        share: of a class that is flipped before the next one is begun, in (0.5, 1]; a majority.

    Cost: one pass of the reference over the data.
    Limits: greedy; a search with retraining (Paudice et al. 2018) may find worse. Needs a model that is about
        as good as the victim.
    Source: choice by largest margin is "farfirst", and labels of the largest loss are the first step of ALFA,
        in Xiao, Xiao, Eckert, Adversarial label flips attack on support vector machines, ECAI 2012; one
        subpopulation with one wrong label: Jagielski et al., Subpopulation data poisoning attacks, CCS 2021
        (there clusters, and points are added; here classes, and labels change). Taking a majority of one
        class after another is ours.
    """

    name: ClassVar[str] = "worst-flip"
    needs_reference: ClassVar[bool] = True

    share: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("share", self.share, "WorstFlip")
        if not 0.5 < self.share <= 1:
            raise ConfigError(f"WorstFlip: share is a majority, in (0.5, 1], got {self.share!r}")

    def eligible(self, data: Dataset) -> Tensor:
        return torch.ones(len(data), dtype=torch.bool)

    def run(self, job: Job) -> Changes:
        logits, labels = job.logits(), job.data.labels
        margin = -attacker_margin(logits, labels, None)
        groups = _by_class(margin, labels)
        edges = [math.ceil(self.share * len(one)) for one in groups]
        first = [one[:edge] for one, edge in zip(groups, edges, strict=True)]
        rest = [one[edge:] for one, edge in zip(groups, edges, strict=True)]
        rows = torch.cat([*first, *rest])[: job.count]
        return Changes(rows, _least_likely(logits, labels)[labels[rows]])


def _occurring(labels: Tensor) -> list[int]:
    return [one for one, count in enumerate(torch.bincount(labels).tolist()) if count]


def _by_class(margin: Tensor, labels: Tensor) -> list[Tensor]:
    """Rows of each class, surest first; the class with the largest mean margin first."""
    order = margin.argsort(descending=True, stable=True)
    groups = [order[labels[order] == one] for one in _occurring(labels)]
    return sorted(groups, key=lambda rows: float(margin[rows].mean()), reverse=True)


def _least_likely(logits: Tensor, labels: Tensor) -> Tensor:
    """For each class ``(classes,)`` the other class of the highest mean cross-entropy on its samples."""
    loss = -logits.log_softmax(dim=1)
    wrong = torch.zeros(logits.shape[1], dtype=torch.int64)
    for one in _occurring(labels):
        mean = loss[labels == one].mean(dim=0)
        mean[one] = -torch.inf
        wrong[one] = int(mean.argmax())
    return wrong
