"""AugMix: a picture blended with several chains of small changes of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.datasets.augmentation.augmentation import Augmentation, Draw
from hauberk.datasets.corruptions.resampling import pixel_grid, warp
from hauberk.datasets.corruptions.space import rotate_and_shift

_WIDTH, _DEPTH = 3, 3  # chains, and the most changes in one
_STRONGEST = 10.0
_WEAKEST = 0.1  # of the severities drawn

Operation = Callable[[Tensor, Tensor], Tensor]
"""Images in [0, 1] and an amount for each in [-1, 1]; where direction means nothing, its sign is ignored."""


@dataclass(frozen=True)
class AugMix(Augmentation):
    """Blends each image with three chains of one to three random changes of itself.

    The changes are autocontrast, posterising, solarising, rotation, shears and shifts, each of a severity up
    to ``strength`` (10: rotation by 30 degrees, shear by 0.3, shift by a third, one bit, all inverted). The
    chains are weighed by Dirichlet(1, 1, 1), and together against the image by Beta(1, 1).

    Limits: the consistency loss of the paper (Jensen-Shannon divergence over three views) is not included:
        here is its augmentation alone, and without equalising histograms.
    Source: Hendrycks et al.: AugMix, ICLR 2020.
    """

    name: ClassVar[str] = "augmix"
    range: ClassVar[tuple[float, float]] = (0.0, _STRONGEST)

    strength: float = 3.0

    def apply(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        lower, width = draw.bounds[0].to(images), draw.width().to(images)
        unit = (images - lower) / width
        weights = -torch.log1p(-draw.uniform(len(unit), _WIDTH))  # exponential; divided by their sum: Dirichlet
        weights = weights / weights.sum(dim=1, keepdim=True)
        own = draw.uniform(len(unit))
        mixed = own[:, None, None, None] * unit
        for chain in range(_WIDTH):
            share = (1 - own) * weights[:, chain]
            mixed = mixed + share[:, None, None, None] * self._chain(unit, draw)
        return draw.clip(mixed * width + lower), labels

    def _chain(self, images: Tensor, draw: Draw) -> Tensor:
        images = images.clone()
        length = draw.integers(1, _DEPTH, len(images))
        for step in range(_DEPTH):
            choice = draw.integers(0, len(OPERATIONS) - 1, len(images))
            weakest = min(_WEAKEST, self.strength)
            severity = weakest + (self.strength - weakest) * draw.uniform(len(images))
            amount = severity / _STRONGEST * (2 * draw.integers(0, 1, len(images)) - 1)
            for number, operation in enumerate(OPERATIONS):
                rows = ((choice == number) & (step < length)).nonzero().squeeze(1)
                if len(rows):
                    images[rows] = operation(images[rows], amount[rows]).clamp(0, 1)
        return images


def autocontrast(images: Tensor, amount: Tensor) -> Tensor:
    """Stretched by channel from 0 to 1, whatever the amount; flat channels stay."""
    low, high = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    flat = high == low
    return torch.where(flat, images, (images - low) / torch.where(flat, 1.0, high - low))


def posterise(images: Tensor, amount: Tensor) -> Tensor:
    """Rounded to four bits, down to one at the most."""
    bits = (4 - (4 * amount.abs()).floor()).clamp(min=1)
    steps = (2**bits - 1)[:, None, None, None]
    return (images * steps).round() / steps


def solarise(images: Tensor, amount: Tensor) -> Tensor:
    """Inverted where brighter than a threshold, which falls from 1."""
    threshold = 1 - amount.abs()[:, None, None, None]
    return torch.where(images < threshold, images, 1 - images)


def rotate(images: Tensor, amount: Tensor) -> Tensor:
    return rotate_and_shift(images, 30 * amount)


def shear_rows(images: Tensor, amount: Tensor) -> Tensor:
    rows, columns = pixel_grid(*images.shape[2:])
    upright = rows - (images.shape[2] - 1) / 2
    moved = columns + 0.3 * amount[:, None, None] * upright
    return warp(images, rows.expand_as(moved), moved, outside="zeros")


def shear_columns(images: Tensor, amount: Tensor) -> Tensor:
    return shear_rows(images.transpose(2, 3), amount).transpose(2, 3)


def shift_down(images: Tensor, amount: Tensor) -> Tensor:
    return rotate_and_shift(images, 0.0, down=amount * images.shape[2] / 3)


def shift_right(images: Tensor, amount: Tensor) -> Tensor:
    return rotate_and_shift(images, 0.0, right=amount * images.shape[3] / 3)


OPERATIONS: tuple[Operation, ...] = (
    autocontrast,
    posterise,
    solarise,
    rotate,
    shear_rows,
    shear_columns,
    shift_down,
    shift_right,
)
