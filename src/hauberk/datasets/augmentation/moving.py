"""Augmentations that move the picture; what comes in from outside is at the lower bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.datasets.augmentation.augmentation import Augmentation, Draw
from hauberk.datasets.corruptions.resampling import pixel_grid, warp
from hauberk.datasets.corruptions.space import rotate_and_shift


@dataclass(frozen=True)
class Shift(Augmentation):
    """Moves each image by up to ``strength`` of its size along both axes, by whole pixels."""

    name: ClassVar[str] = "shift"
    range: ClassVar[tuple[float, float]] = (0.0, 0.5)

    strength: float = 0.08

    def apply(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
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
        return torch.where(inside, picked.permute(0, 3, 1, 2), draw.bounds[0].to(images)), labels


@dataclass(frozen=True)
class Flip(Augmentation):
    """Mirrors each image left to right, with the chance ``strength``. Not for letters and digits."""

    name: ClassVar[str] = "flip"
    range: ClassVar[tuple[float, float]] = (0.0, 0.5)

    strength: float = 0.5

    def apply(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        mirrored = draw.uniform(len(images)) < self.strength
        return torch.where(mirrored[:, None, None, None], images.flip(-1), images), labels


@dataclass(frozen=True)
class Scaling(Augmentation):
    """Makes each image larger or smaller about its middle, to between 1 - ``strength`` and 1 + ``strength``."""

    name: ClassVar[str] = "scaling"
    range: ClassVar[tuple[float, float]] = (0.0, 0.5)

    strength: float = 0.1

    def apply(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        count, _, height, width = images.shape
        size = (1 + self.strength * (2 * draw.uniform(count) - 1))[:, None, None]
        rows, columns = pixel_grid(height, width)
        middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
        from_rows = (rows - middle_row) / size + middle_row
        from_columns = (columns - middle_column) / size + middle_column
        lower = draw.bounds[0].to(images)
        return draw.clip(warp(images - lower, from_rows, from_columns, outside="zeros") + lower), labels


@dataclass(frozen=True)
class Rotation(Augmentation):
    """Turns each image about its middle by up to ``strength`` degrees either way."""

    name: ClassVar[str] = "rotation"
    range: ClassVar[tuple[float, float]] = (0.0, 180.0)

    strength: float = 15.0

    def apply(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        degrees = self.strength * (2 * draw.uniform(len(images)) - 1)
        lower = draw.bounds[0].to(images)
        return draw.clip(rotate_and_shift(images - lower, degrees) + lower), labels
