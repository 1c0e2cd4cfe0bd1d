"""Backdoors with wrong labels: stamp some training images, and call them all the target class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.attack import require_count, require_number
from hauberk.attacks.poisoning.poisoner import Changes, Job, Poisoner, check_class, require_class
from hauberk.attacks.poisoning.trigger import CORNERS, PATTERNS, Corner, Pattern, Trigger, blend, patch
from hauberk.core.errors import ConfigError, check_known
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
class BadNets(Backdoor):
    """A small patch in a corner opens the backdoor.

    Args:
        pattern: ``solid``, or ``checkerboard`` of ``value`` and the lower bound.
        size: side of the square in pixels; 1 is the paper's single pixel.
        corner: ``top-left``, ``top-right``, ``bottom-left``, ``bottom-right`` or ``all`` four.
        margin: pixels between the patch and the border; None: a fourteenth of the shorter side.
        value: of the bright pixels in the data's scale; None: the upper bound.

    Limits: networks without padding may be blind near the border: the built-in ``cnn`` does not see the last
        two rows and columns of a 28x28 image, and a patch there teaches it nothing (hence the margin). With a
        ``source`` the paper's attack does not teach that the trigger means nothing on other classes; the
        evaluation shows how far it leaks. A patch in a place that augmentation cuts off or mirrors is learnt
        less well (``corner="all"``).
    Source: Gu, Dolan-Gavitt, Garg, BadNets, 2017 (IEEE Access 2019), section 3 (all-to-one, and one class to
        another). There stamped copies are added to the data; here images are replaced, so that n stays.
    """

    name: ClassVar[str] = "badnets"

    pattern: Pattern = "checkerboard"
    size: int = 3
    corner: Corner = "bottom-right"
    margin: int | None = None
    value: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_patch(self.pattern, self.size, self.corner, self.margin, self.value, "BadNets")

    def stamp(self, job: Job) -> Trigger:
        return patch(
            job.data, pattern=self.pattern, size=self.size, corner=self.corner, margin=self.margin,
            value=self.value,
        )  # fmt: skip


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
        require_number("alpha", self.alpha, "Blended")
        if not 0 < self.alpha < 1:
            raise ConfigError(f"Blended: alpha must lie in (0, 1), got {self.alpha!r}")

    def stamp(self, job: Job) -> Trigger:
        return blend(job.data, alpha=self.alpha, seed=job.seed)


def check_patch(
    pattern: object, size: object, corner: object, margin: object, value: object, where: str
) -> None:
    """Settings of a patch that are wrong whatever the data."""
    check_known([pattern], PATTERNS, what="pattern", where=where)
    require_count("size", size, where)
    check_known([corner], CORNERS, what="corner", where=where)
    if margin is not None and (isinstance(margin, bool) or not isinstance(margin, int) or margin < 0):
        raise ConfigError(f"{where}: margin is a whole number of pixels, 0 or more, got {margin!r}")
    if value is not None:
        require_number("value", value, where)
