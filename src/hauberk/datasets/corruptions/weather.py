"""Weather: snow, frost, fog, and a brighter day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.datasets.corruptions.blur import trail
from hauberk.datasets.corruptions.corruption import Corruption, Ladder, within
from hauberk.datasets.corruptions.draws import Draws

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
_FROST_TINT = (0.86, 0.94, 1.0)  # ice is a little blue


def grey(images: Tensor) -> Tensor:
    """``(n, 1, h, w)``."""
    if images.shape[1] == 1:
        return images
    return (images * torch.tensor(_LUMINANCE).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def plasma(draws: Draws, height: int, width: int, decay: float) -> Tensor:
    """Cloudy fields ``(n, 1, h, w)`` from 0 to 1, by the diamond-square algorithm on a torus.

    Args:
        decay: by how much the random part shrinks each time the grid gets twice as fine; larger is smoother.

    Source: Fournier, Fussell and Carpenter, Communications of the ACM 25(6), 1982.
    """
    size = 1 << (max(height, width) - 1).bit_length()
    noise = draws.uniform(size, size, low=-1, high=1)
    made = torch.zeros_like(noise)
    amplitude, step = 1.0, size
    while step > 1:
        half = step // 2
        corners = made[:, ::step, ::step]
        right, below = corners.roll(-1, 2), corners.roll(-1, 1)
        centres = (corners + right + below + below.roll(-1, 2)) / 4
        centres = centres + amplitude * noise[:, half::step, half::step]
        tops = (corners + right + centres + centres.roll(1, 1)) / 4
        sides = (corners + below + centres + centres.roll(1, 2)) / 4
        made[:, half::step, half::step] = centres
        made[:, ::step, half::step] = tops + amplitude * noise[:, ::step, half::step]
        made[:, half::step, ::step] = sides + amplitude * noise[:, half::step, ::step]
        amplitude, step = amplitude / decay, half
    low, high = made.amin(dim=(1, 2), keepdim=True), made.amax(dim=(1, 2), keepdim=True)
    return ((made - low) / (high - low))[:, None, :height, :width]


@dataclass(frozen=True, kw_only=True, repr=False)
class Snow(Corruption):
    """Falling flakes, each with a trail, on an image that is paler for the light.

    Args:
        mean, deviation: of the normal noise that flakes are cut from.
        flake: how much that noise is enlarged, in pixels; at least one.
        threshold: noise below it is no flake.
        length, sigma: of the trails, as in ``MotionBlur``.
        keep: share of the image that is not made paler.
    """

    name: ClassVar[str] = "snow"
    family: ClassVar[str] = "weather"
    small: ClassVar[Ladder] = (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )
    large: ClassVar[Ladder] = (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    )
    lengths: ClassVar[frozenset[str]] = frozenset({"flake", "length", "sigma"})

    mean: float = field(metadata=within(0, 1))
    deviation: float = field(metadata=within(0, 1))
    flake: float = field(metadata=within(0, 1000))
    threshold: float = field(metadata=within(0, 1))
    length: float = field(metadata=within(0, 1000))
    sigma: float = field(metadata=within(1e-3, 1000))
    keep: float = field(metadata=within(0, 1))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        height, width = images.shape[2:]
        flake = max(1.0, self.flake)
        coarse = draws.normal(1, max(2, round(height / flake)), max(2, round(width / flake)))
        noise = self.mean + self.deviation * F.interpolate(coarse, (height, width), mode="bilinear")
        flakes = torch.where(noise < self.threshold, 0.0, noise.clamp(max=1))
        falling = trail(flakes, draws.uniform(low=45, high=135), self.length, self.sigma)
        pale = torch.maximum(images, 1.5 * grey(images) + 0.5)
        # the same flakes a second time, turned by half: denser, and falling both ways as in gusts
        return self.keep * images + (1 - self.keep) * pale + falling + falling.flip(2, 3)


@dataclass(frozen=True, kw_only=True, repr=False)
class Frost(Corruption):
    """Ice crystals on the lens.

    Args:
        keep: share of the image.
        ice: share of the ice, added to it.

    Source: the original pastes random cuts of six photographs of frosted windows. Here every sample's ice is
    made from its random stream: ridges (where a cloudy field crosses its middle) as crystals on a cloudy film,
    tinted a little blue in colour images. Figures are not comparable with the original's to the point.
    """

    name: ClassVar[str] = "frost"
    family: ClassVar[str] = "weather"
    small: ClassVar[Ladder] = ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))
    large: ClassVar[Ladder] = ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))

    keep: float = field(metadata=within(0, 1))
    ice: float = field(metadata=within(0, 1))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        channels, height, width = images.shape[1:]
        film = plasma(draws, height, width, decay=1.6)
        crystals = sum(
            share * (1 - (2 * plasma(draws, height, width, decay) - 1).abs()).pow(4)
            for share, decay in ((0.6, 2.2), (0.4, 1.6))
        )
        ice = 0.55 * film + 0.75 * crystals
        if channels == 3:
            ice = ice * torch.tensor(_FROST_TINT).view(1, 3, 1, 1)
        return self.keep * images + self.ice * ice.clamp(max=1)


@dataclass(frozen=True, kw_only=True, repr=False)
class Fog(Corruption):
    """A bright cloudy field in front of the image, with the whole toned down to its old highest value.

    Args:
        thickness: of the fog.
        decay: smoothness of the clouds, see ``plasma``.

    Source: the original's random parts shrink by the square of its constant; the squares stand here.
    """

    name: ClassVar[str] = "fog"
    family: ClassVar[str] = "weather"
    small: ClassVar[Ladder] = ((0.2, 9), (0.5, 9), (0.75, 6.25), (1, 4), (1.5, 3.0625))
    large: ClassVar[Ladder] = ((1.5, 4), (2, 4), (2.5, 2.89), (2.5, 2.25), (3, 1.96))

    thickness: float = field(metadata=within(0, 100))
    decay: float = field(metadata=within(1, 100))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        highest = images.amax(dim=(1, 2, 3), keepdim=True)
        highest = torch.where(highest > 0, highest, 1.0)  # fog on a black image is still fog
        height, width = images.shape[2:]
        clouds = plasma(draws, height, width, self.decay)
        return (images + self.thickness * clouds) * highest / (highest + self.thickness)


@dataclass(frozen=True, kw_only=True, repr=False)
class Brightness(Corruption):
    """A brighter day: the value (largest channel) of every pixel rises; hue and saturation stay.

    Args:
        more: what is added; 1 is the width of the valid range.
    """

    name: ClassVar[str] = "brightness"
    family: ClassVar[str] = "weather"
    small: ClassVar[Ladder] = ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,))
    large: ClassVar[Ladder] = ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,))

    more: float = field(metadata=within(0, 1))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        value = images.amax(dim=1, keepdim=True)
        brighter = (value + self.more).clamp(max=1)
        shares = torch.where(value > 0, images / value, 1.0)  # black has no hue: it turns grey
        return torch.where(value > 0, shares, 1.0) * brighter
