"""Blur: out of focus, behind glass, of a moving camera, of one that comes nearer.

All four are averages over shifted or enlarged copies of the image, with fractions of a pixel interpolated:
radii below a pixel blur too, as small images need.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.datasets.corruptions.corruption import Corruption, Ladder, within
from hauberk.datasets.corruptions.draws import Draws
from hauberk.datasets.corruptions.resampling import blur, convolve, pixel_grid, separable, spread, warp, zoom

_ZOOM_STEP = 0.01  # between one enlargement and the next


@dataclass(frozen=True, kw_only=True, repr=False)
class DefocusBlur(Corruption):
    """Every point becomes a disc: the lens is out of focus.

    Args:
        radius: of the disc, in pixels.

    Source: the original draws a hard disc on the pixel grid and softens it by a Gaussian of three or five
    pixels. At 32 pixels its discs are one to nine pixels large; the radii here give the same spread.
    """

    name: ClassVar[str] = "defocus_blur"
    family: ClassVar[str] = "blur"
    small: ClassVar[Ladder] = ((0.4,), (0.6,), (0.85,), (1.05,), (1.5,))
    large: ClassVar[Ladder] = ((3,), (4,), (6,), (8,), (10,))
    lengths: ClassVar[frozenset[str]] = frozenset({"radius"})

    radius: float = field(metadata=within(0, 1000))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        line = torch.linspace(-1, 1, 8 * math.ceil(self.radius) + 9)
        square = torch.cartesian_prod(line, line)
        disc = square[square.square().sum(dim=1) <= 1]
        weights = torch.full((len(disc),), 1 / len(disc))
        return convolve(images, spread(self.radius * disc[None], weights))


@dataclass(frozen=True, kw_only=True, repr=False)
class GlassBlur(Corruption):
    """Pixels are taken from a random place near by: frosted glass.

    Args:
        sigma: of a Gaussian blur before and after, in pixels.
        reach: how far off a pixel is taken from at most, in each direction, in pixels.

    Source: the original swaps each pixel with a random neighbour, one after the other, in up to three rounds,
    so that some travel far. Here each is read at a random place once, which suits whole batches; ``reach`` was
    chosen so that photographs change about as much (in root mean square) as under those rounds.
    """

    name: ClassVar[str] = "glass_blur"
    family: ClassVar[str] = "blur"
    small: ClassVar[Ladder] = ((0.05, 1.7), (0.25, 1.8), (0.4, 1.9), (0.25, 2.5), (0.4, 2.7))
    large: ClassVar[Ladder] = ((0.7, 3.7), (0.9, 5), (1, 8.2), (1.1, 8.3), (1.5, 8.5))
    lengths: ClassVar[frozenset[str]] = frozenset({"sigma", "reach"})

    sigma: float = field(metadata=within(0, 1000))
    reach: float = field(metadata=within(0, 1000))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        height, width = images.shape[2:]
        rows, columns = pixel_grid(height, width)
        jitter = draws.uniform(2, height, width, low=-self.reach, high=self.reach)
        moved = warp(blur(images, self.sigma), rows + jitter[:, 0], columns + jitter[:, 1])
        return blur(moved, self.sigma)


def trail(images: Tensor, angles: Tensor, length: float, sigma: float) -> Tensor:
    """Each image smeared one way, fading like half a Gaussian.

    Args:
        angles: ``(n,)`` degrees from rightwards, clockwise.
        length: where the trail ends at the latest, in pixels.
        sigma: how fast it fades, in pixels.
    """
    end = min(length, 4 * sigma)
    count = 2 * math.ceil(end) + 32  # closer than half a pixel, and never few
    along = (torch.arange(count) + 0.5) * (end / count)
    weights = torch.exp(-0.5 * (along / sigma).square())
    turns = torch.deg2rad(angles)[:, None]
    points = torch.stack([along * turns.sin(), along * turns.cos()], dim=-1)  # (n, p, 2)
    return convolve(images, spread(points, weights / weights.sum()))


@dataclass(frozen=True, kw_only=True, repr=False)
class MotionBlur(Corruption):
    """A trail to one side, within 45 degrees of the horizontal: the camera moved.

    Args:
        length: where the trail ends at the latest, in pixels.
        sigma: how fast it fades, in pixels.
    """

    name: ClassVar[str] = "motion_blur"
    family: ClassVar[str] = "blur"
    small: ClassVar[Ladder] = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))
    large: ClassVar[Ladder] = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))
    lengths: ClassVar[frozenset[str]] = frozenset({"length", "sigma"})

    length: float = field(metadata=within(0, 1000))
    sigma: float = field(metadata=within(1e-3, 1000))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        return trail(images, draws.uniform(low=-45, high=45), self.length, self.sigma)


@dataclass(frozen=True, kw_only=True, repr=False)
class ZoomBlur(Corruption):
    """The mean of the image and its enlargements: the camera came nearer.

    Args:
        furthest: the largest enlargement.
    """

    name: ClassVar[str] = "zoom_blur"
    family: ClassVar[str] = "blur"
    small: ClassVar[Ladder] = ((1.05,), (1.1,), (1.15,), (1.2,), (1.25,))
    large: ClassVar[Ladder] = ((1.1,), (1.15,), (1.2,), (1.24,), (1.3,))

    furthest: float = field(metadata=within(1, 10))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        height, width = images.shape[2:]
        factors = torch.linspace(1, self.furthest, round((self.furthest - 1) / _ZOOM_STEP) + 1).tolist()
        made = images.clone()  # the original is counted twice, as factor 1 is among them
        for factor in factors:
            made += separable(images, zoom(height, factor), zoom(width, factor))
        return made / (len(factors) + 1)
