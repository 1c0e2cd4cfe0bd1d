"""Noise: of a dark sensor, of few photons, of broken bits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.datasets.corruptions.corruption import Corruption, Ladder, within
from hauberk.datasets.corruptions.draws import Draws


@dataclass(frozen=True, kw_only=True, repr=False)
class GaussianNoise(Corruption):
    """Normal noise on every value, as in low light.

    Args:
        sigma: standard deviation; 1 is the width of the valid range.
    """

    name: ClassVar[str] = "gaussian_noise"
    family: ClassVar[str] = "noise"
    small: ClassVar[Ladder] = ((0.04,), (0.06,), (0.08,), (0.09,), (0.1,))
    large: ClassVar[Ladder] = ((0.08,), (0.12,), (0.18,), (0.26,), (0.38,))

    sigma: float = field(metadata=within(0, 10))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        return images + self.sigma * draws.normal(*images.shape[1:])


@dataclass(frozen=True, kw_only=True, repr=False)
class ShotNoise(Corruption):
    """Poisson noise: light comes in single photons.

    Args:
        photons: how many a white value collects; the fewer, the noisier.
    """

    name: ClassVar[str] = "shot_noise"
    family: ClassVar[str] = "noise"
    small: ClassVar[Ladder] = ((500,), (250,), (100,), (75,), (50,))
    large: ClassVar[Ladder] = ((60,), (25,), (12,), (5,), (3,))

    photons: float = field(metadata=within(0.1, 1e6))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        return draws.poisson(images * self.photons) / self.photons


def _broken(images: Tensor, draw: Tensor, share: float) -> Tensor:
    """Black where the draw is among the lowest half of the share, white where among the highest."""
    made = torch.where(draw < share / 2, 0.0, images)
    return torch.where(draw >= 1 - share / 2, 1.0, made)


@dataclass(frozen=True, kw_only=True, repr=False)
class ImpulseNoise(Corruption):
    """Some values, each channel for itself, become 0 or 1: bit errors.

    Args:
        share: of values, half of them 0 and half of them 1.
    """

    name: ClassVar[str] = "impulse_noise"
    family: ClassVar[str] = "noise"
    small: ClassVar[Ladder] = ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,))
    large: ClassVar[Ladder] = ((0.03,), (0.06,), (0.09,), (0.17,), (0.27,))

    share: float = field(metadata=within(0, 1))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        return _broken(images, draws.uniform(*images.shape[1:]), self.share)


@dataclass(frozen=True, kw_only=True, repr=False)
class SaltAndPepper(Corruption):
    """Some pixels, with all their channels, become white or black: dust and dead pixels.

    Args:
        share: of pixels, half of them black and half of them white.

    Source: not among the fifteen; severities are ours, twice to four times those of impulse noise.
    """

    name: ClassVar[str] = "salt_and_pepper"
    family: ClassVar[str] = "noise"
    small: ClassVar[Ladder] = ((0.02,), (0.05,), (0.1,), (0.15,), (0.2,))
    large: ClassVar[Ladder] = ((0.05,), (0.1,), (0.2,), (0.3,), (0.4,))

    share: float = field(metadata=within(0, 1))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        return _broken(images, draws.uniform(1, *images.shape[2:]), self.share)
