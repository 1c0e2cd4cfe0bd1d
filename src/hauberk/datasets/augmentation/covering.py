"""Augmentations that hide what the picture shows: noise over all of it, or a patch over a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.datasets.augmentation.augmentation import Augmentation, Draw


@dataclass(frozen=True)
class Noise(Augmentation):
    """Adds Gaussian noise whose standard deviation is ``strength`` of the valid range, then clips."""

    name: ClassVar[str] = "noise"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    strength: float = 0.1

    def apply(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        deviation = self.strength * draw.width().to(images)
        return draw.clip(images + deviation * draw.normal(*images.shape)), labels


@dataclass(frozen=True)
class Cutout(Augmentation):
    """Covers a patch whose sides are ``strength`` of the image's, about a pixel drawn from the whole image.

    The patch may hang over the edge. It takes the batch's mean by channel, which tells the network nothing.

    Source: DeVries, Taylor: Improved regularization of convolutional neural networks with Cutout, 2017.
    """

    name: ClassVar[str] = "cutout"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    strength: float = 0.3

    def apply(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        count, _, height, width = images.shape
        shares = torch.full((count,), self.strength)
        covered = patches(shares, height, width, draw)
        return torch.where(covered, images.mean(dim=(0, 2, 3), keepdim=True), images), labels


def patches(share: Tensor, height: int, width: int, draw: Draw) -> Tensor:
    """bool ``(n, 1, height, width)``: True within a patch about a random pixel, cut off at the edges.

    Args:
        share: ``(n,)``, the patch's sides over the image's, in [0, 1]; sides are rounded to whole pixels.
    """
    along = [_within(share, side, draw.integers(0, side - 1, len(share))) for side in (height, width)]
    return along[0][:, None, :, None] & along[1][:, None, None, :]


def _within(share: Tensor, side: int, middle: Tensor) -> Tensor:
    """bool ``(n, side)``."""
    length = (share * side).round().long()
    first = middle - length // 2
    position = torch.arange(side)[None, :]
    return (position >= first[:, None]) & (position < (first + length)[:, None])
