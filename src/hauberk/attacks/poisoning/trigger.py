"""Triggers: what opens a backdoor. A mask says where and how strongly a pattern replaces the image."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset

Pattern = Literal["solid", "checkerboard"]
Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right", "all"]

PATTERNS = ("solid", "checkerboard")
CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right", "all")

_MARGIN = 14  # 2 pixels of 28: unpadded convolutions and pooling do not see the last ones at all


@dataclass(frozen=True, eq=False)
class Trigger:
    """``(1 - mask) * image + mask * pattern``, as a callable.

    Args:
        mask: float32 in [0, 1], shape of one image.
        pattern: float32 within the data's bounds, shape of one image.
        recipe: how it was made.
    """

    mask: Tensor
    pattern: Tensor
    recipe: str

    def __repr__(self) -> str:
        return f"Trigger({self.recipe}, {self.digest[:19]})"

    @property
    def digest(self) -> str:
        """``sha256:…`` of mask and pattern (float32, little endian)."""
        state = hashlib.sha256(self.mask.contiguous().numpy().astype("<f4").tobytes())
        state.update(self.pattern.contiguous().numpy().astype("<f4").tobytes())
        return f"sha256:{state.hexdigest()}"

    def __call__(self, images: Tensor) -> Tensor:
        """Stamped copies of images ``(n, ...)`` or of one image, on their own device."""
        if images.shape[-self.mask.ndim :] != self.mask.shape:
            raise ConfigError(f"a trigger for {tuple(self.mask.shape)} does not fit {tuple(images.shape)}")
        mask, pattern = self.mask.to(images), self.pattern.to(images)
        # lerp is exact where the mask is 0 or 1, and never leaves the span of image and pattern
        return torch.lerp(images, pattern.expand_as(images), mask.expand_as(images))


def patch(
    data: Dataset, *, pattern: str, size: int, corner: str, margin: int | None, value: float | None
) -> Trigger:
    """A square of ``size`` x ``size`` pixels in a corner (or in all four).

    Args:
        pattern: ``solid``: all of ``value``; ``checkerboard``: value and the lower bound by turns, with value
            in the square's corners.
        margin: pixels between the square and the border; None takes a fourteenth of the shorter side.
        value: None takes the upper bound.

    Raises:
        ConfigError: data that are no images, a square larger than they are, a value out of bounds.
    """
    shape, (low, high) = data.input_shape, data.bounds
    if len(shape) != 3:
        raise ConfigError(f"a patch needs images (channels, height, width), {data.name} has {shape}")
    height, width = shape[1:]
    edge = min(height, width) // _MARGIN if margin is None else margin
    if size + edge > min(height, width):
        raise ConfigError(f"a patch of {size}x{size} with margin {edge} does not fit images {height}x{width}")
    ink = float(high) if value is None else float(value)
    if not low <= ink <= high:
        raise ConfigError(f"value {ink:g} lies outside the bounds [{low:g}, {high:g}] of {data.name}")
    square = torch.full((size, size), ink)
    if pattern == "checkerboard":
        steps = torch.arange(size)
        square[(steps[:, None] + steps) % 2 == 1] = float(low)
    mask, painted = torch.zeros(shape), torch.full(shape, float(low))
    for one in CORNERS[:-1] if corner == "all" else (corner,):
        top = edge if one.startswith("top") else height - size - edge
        left = edge if one.endswith("left") else width - size - edge
        mask[:, top : top + size, left : left + size] = 1.0
        painted[:, top : top + size, left : left + size] = square
    return Trigger(mask, painted, f"{pattern} {size}x{size} {corner} margin {edge}")


def blend(data: Dataset, *, alpha: float, seed: int) -> Trigger:
    """Uniform noise within the bounds, drawn once from the seed, laid over the whole image with ``alpha``."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "blend pattern"))
    low, high = data.bounds
    noise = low + (high - low) * torch.rand(data.input_shape, generator=generator)
    return Trigger(torch.full(data.input_shape, float(alpha)), noise.clamp(low, high), f"blend {alpha:g}")
