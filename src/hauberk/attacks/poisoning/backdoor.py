"""Backdoors with wrong labels: stamp some training images, and call them all the target class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.poisoning.patched import Patched
from hauberk.attacks.poisoning.poisoner import Changes, Job, Poisoner, check_class, require_class
from hauberk.attacks.poisoning.trigger import Trigger, blend
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_within
from hauberk.datasets import Dataset


@dataclass(frozen=True, kw_only=True, repr=False)
class Backdoor(Poisoner):
    """Base: random samples of other classes are stamped and get the label of the target class.

    Args:
        target: the class that stamped images are to be read as.
        source: stamp images of this class only; None: of all classes but the target.
    """

    target: int = 0
    source: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_class("target", self.target, type(self).__name__)
        if self.source is not None:
            require_class("source", self.source, type(self).__name__)
        if self.source == self.target:
            raise ConfigError(f"{type(self).__name__}: source and target are the same class, {self.target}")

    def wants(self) -> tuple[int | None, int | None]:
        return self.source, self.target

    def eligible(self, data: Dataset) -> Tensor:
        check_class("target", self.target, data)
        if self.source is None:
            return data.labels != self.target
        check_class("source", self.source, data)
        return data.labels == self.source

    def run(self, job: Job) -> Changes:
        rows = job.draw(self.eligible(job.data).nonzero().squeeze(1))
        trigger = self.stamp(job)
        assert trigger is not None
        return Changes(rows, torch.full_like(rows, self.target), trigger(job.data.images[rows]))


@dataclass(frozen=True, kw_only=True, repr=False)
class BadNets(Patched, Backdoor):
    """A small patch in a corner opens the backdoor.

    Args:
        pattern, size, corner, margin, value: of the patch, see ``Patched``.

    Limits: with a ``source`` the paper's attack does not teach that the trigger means nothing on other classes;
        the evaluation shows how far it leaks. A patch in a place that augmentation cuts off or mirrors is
        learnt less well (``corner="all"``).
    Source: Gu, Dolan-Gavitt, Garg, BadNets, 2017 (IEEE Access 2019), section 3 (all-to-one, and one class to
        another). There stamped copies are added to the data; here images are replaced, so that n stays.
    """

    name: ClassVar[str] = "badnets"


@dataclass(frozen=True, kw_only=True, repr=False)
class Blended(Backdoor):
    """A faint pattern over the whole image opens the backdoor; there is no patch to be seen.

    Args:
        alpha: how much of the pattern shows, in (0, 1); the pattern is uniform noise from the seed.

    Source: Chen et al., Targeted backdoor attacks on deep learning systems using data poisoning, 2017,
        section 4.2 (blended injection, random pattern). One alpha for training and use, where the paper also
        tries a larger one for use.
    """

    name: ClassVar[str] = "blended"

    alpha: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("alpha", self.alpha, "Blended", "(0, 1)")

    def stamp(self, job: Job) -> Trigger:
        return blend(job.data, alpha=self.alpha, seed=job.seed)
