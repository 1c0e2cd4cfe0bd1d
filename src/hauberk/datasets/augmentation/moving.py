"""Augmentations that move the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.datasets.augmentation.augmentation import Augmentation, Draw


@dataclass(frozen=True)
class Shift(Augmentation):
    """Moves each image by up to ``strength`` of its size along both axes; what comes in from outside is 0."""

    name: ClassVar[str] = "shift"
    range: ClassVar[tuple[float, float]] = (0.0, 0.5)

    strength: float = 0.08

    def __call__(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        count, _, height, width = images.shape
        most = (round(self.strength * height), round(self.strength * width))
        down, right = (draw.integers(-one, one, count) for one in most)
        rows = torch.arange(height)[None, :] - down[:, None]  # where each row comes from
        columns = torch.arange(width)[None, :] - right[:, None]
        inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[
            :, None, None, :
        ]
        picked = images[
            torch.arange(count)[:, None, None],
            :,
            rows.clamp(0, height - 1)[:, :, None],
            columns.clamp(0, width - 1)[:, None, :],
        ]
        return draw.clip(picked.permute(0, 3, 1, 2) * inside), labels
