"""Digital: contrast, elastic distortion, coarse pixels, JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.datasets.corruptions.corruption import Corruption, Ladder, within
from hauberk.datasets.corruptions.draws import Draws
from hauberk.datasets.corruptions.resampling import blur, coarse, pixel_grid, separable, warp

_FINEST = 32  # smaller images get a distortion that was drawn at this size


@dataclass(frozen=True, kw_only=True, repr=False)
class Contrast(Corruption):
    """Values drawn towards the mean of their channel.

    Args:
        factor: what is left of the contrast.
    """

    name: ClassVar[str] = "contrast"
    family: ClassVar[str] = "digital"
    small: ClassVar[Ladder] = ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,))
    large: ClassVar[Ladder] = ((0.4,), (0.3,), (0.2,), (0.1,), (0.05,))

    factor: float = field(metadata=within(0, 1))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        mean = images.mean(dim=(2, 3), keepdim=True)
        return mean + self.factor * (images - mean)


@dataclass(frozen=True, kw_only=True, repr=False)
class ElasticTransform(Corruption):
    """Stretched and contracted, on the whole and in small regions.

    Args:
        reach: of the displacements before smoothing, in pixels.
        grain: sigma of the Gaussian that smooths them, in pixels.
        skew: how far each of three points, which fix an affine map, moves at most in each direction, in pixels.

    Source: Simard et al., ICDAR 2003, by way of the original. Its severities trade the affine part for the
    local one, so that they do not grow in distance; here both grow.
    """

    name: ClassVar[str] = "elastic_transform"
    family: ClassVar[str] = "digital"
    small: ClassVar[Ladder] = (
        (1.0, 1.28, 0.64),
        (1.6, 1.28, 0.96),
        (2.2, 1.28, 1.28),
        (2.9, 1.28, 1.6),
        (3.8, 1.28, 1.92),
    )
    large: ClassVar[Ladder] = ((8, 2.5, 4.5), (12, 2.5, 5), (17, 2.5, 6), (23, 2.5, 7), (29, 2.5, 8))
    lengths: ClassVar[frozenset[str]] = frozenset({"reach", "grain", "skew"})

    reach: float = field(metadata=within(0, 1000))
    grain: float = field(metadata=within(0, 1000))
    skew: float = field(metadata=within(0, 1000))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        height, width = images.shape[2:]
        rows, columns = self._affine(height, width, draws.uniform(3, 2, low=-self.skew, high=self.skew))
        finer = max(1.0, _FINEST / min(height, width))
        field_size = (round(finer * height), round(finer * width))
        local = blur(draws.uniform(2, *field_size, low=-self.reach, high=self.reach), finer * self.grain)
        if finer > 1:
            local = F.interpolate(local, (height, width), mode="bilinear", antialias=True)
        return warp(images, rows + local[:, 0], columns + local[:, 1])

    @staticmethod
    def _affine(height: int, width: int, jitter: Tensor) -> tuple[Tensor, Tensor]:
        """Where to read each pixel, ``(n, h, w)`` twice, if three points move by ``jitter`` ``(n, 3, 2)``."""
        middle, third = torch.tensor([(height - 1) / 2, (width - 1) / 2]), min(height, width) / 3
        points = middle + third * torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
        inverse = torch.linalg.inv(torch.cat([points, torch.ones(3, 1)], dim=1))
        change = inverse @ jitter  # (n, 3, 2): by row, by column, constant
        rows, columns = pixel_grid(height, width)
        by_row, by_column, constant = (change[:, part, :, None, None] for part in range(3))
        moved = by_row * rows + by_column * columns + constant  # (n, 2, h, w)
        return rows + moved[:, 0], columns + moved[:, 1]


@dataclass(frozen=True, kw_only=True, repr=False)
class Pixelate(Corruption):
    """Seen with fewer pixels, each the mean of what it covers, and enlarged again without smoothing.

    Args:
        share: of the pixels left along each side.
    """

    name: ClassVar[str] = "pixelate"
    family: ClassVar[str] = "digital"
    small: ClassVar[Ladder] = ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,))
    large: ClassVar[Ladder] = ((0.6,), (0.5,), (0.4,), (0.3,), (0.25,))

    share: float = field(metadata=within(0.01, 1))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        height, width = images.shape[2:]
        rows, columns = (coarse(side, max(1, int(side * self.share))) for side in (height, width))
        return separable(images, rows, columns)


@dataclass(frozen=True, kw_only=True, repr=False)
class JPEGCompression(Corruption):
    """Saved as JPEG and read again, by Pillow.

    Args:
        quality: as Pillow counts it, a whole number.
    """

    name: ClassVar[str] = "jpeg_compression"
    family: ClassVar[str] = "digital"
    small: ClassVar[Ladder] = ((80,), (65,), (58,), (50,), (40,))
    large: ClassVar[Ladder] = ((25,), (18,), (15,), (10,), (7,))

    quality: int = field(metadata=within(1, 100))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.quality, int):
            raise ConfigError(f"JPEGCompression: quality must be a whole number, got {self.quality!r}")

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        levels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        read = np.stack([self._round_trip(one) for one in levels])
        return torch.from_numpy(read).permute(0, 3, 1, 2).float() / 255

    def _round_trip(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """``(h, w, c)`` through a file in memory."""
        stream = io.BytesIO()
        picture = Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
        picture.save(stream, "JPEG", quality=self.quality)
        return np.asarray(Image.open(stream)).reshape(pixels.shape)
