"""Augmentations that mix two pictures, and their labels in the same shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.datasets.augmentation.augmentation import Augmentation, Draw
from hauberk.datasets.augmentation.covering import patches


@dataclass(frozen=True)
class Mixup(Augmentation):
    """Blends each image with another of the batch, in shares from Beta(``strength``, ``strength``).

    The image itself keeps the larger share: over all pairs that is the same distribution, and the label that
    leads is the image's own.

    Source: Zhang, Cisse, Dauphin, Lopez-Paz: mixup, ICLR 2018; shares are drawn for each image, there for
        each batch.
    """

    name: ClassVar[str] = "mixup"
    range: ClassVar[tuple[float, float]] = (0.0, 10.0)
    mixes: ClassVar[bool] = True

    strength: float = 0.4

    def apply(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        other = torch.randperm(len(images), generator=draw.generator)
        own = draw.beta(self.strength, len(images))
        own = torch.maximum(own, 1 - own)
        shown = own[:, None, None, None].to(images)
        mixed = shown * images + (1 - shown) * images[other]
        return draw.clip(mixed), own[:, None] * labels + (1 - own[:, None]) * labels[other]


@dataclass(frozen=True)
class CutMix(Augmentation):
    """Puts a patch of another image into each; labels count by the pixels that each has in the end.

    The patch's share of the area comes from Beta(``strength``, ``strength``) before it is cut off at the edges.

    Source: Yun et al.: CutMix, ICCV 2019; patches are drawn for each image, there for each batch.
    """

    name: ClassVar[str] = "cutmix"
    range: ClassVar[tuple[float, float]] = (0.0, 10.0)
    mixes: ClassVar[bool] = True

    strength: float = 1.0

    def apply(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        count, _, height, width = images.shape
        other = torch.randperm(count, generator=draw.generator)
        area = draw.beta(self.strength, count)
        pasted = patches(area.sqrt(), height, width, draw)
        own = 1 - pasted.flatten(1).float().mean(dim=1)[:, None]
        return torch.where(pasted, images[other], images), own * labels + (1 - own) * labels[other]
