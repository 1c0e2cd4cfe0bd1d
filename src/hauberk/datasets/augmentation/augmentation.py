"""The frame of an augmentation: a batch in, a batch of the same shape out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Draw:
    """What an augmentation may use besides the batch.

    Args:
        generator: all randomness, on the CPU.
        bounds: lowest and highest valid value, broadcastable to the images.
        classes: how many there are.
    """

    generator: torch.Generator
    bounds: tuple[Tensor, Tensor]
    classes: int

    def uniform(self, *shape: int) -> Tensor:
        """float32 in [0, 1)."""
        return torch.rand(shape, generator=self.generator)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """int64 in [low, high]."""
        return torch.randint(low, high + 1, shape, generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        """float32, standard normal."""
        return torch.randn(shape, generator=self.generator)

    def beta(self, alpha: float, *shape: int) -> Tensor:
        """float32 in [0, 1] from Beta(alpha, alpha); ``alpha`` above 0."""
        source = np.random.default_rng(int(self.integers(0, 2**63 - 2)))  # torch's own takes no generator
        return torch.from_numpy(source.beta(alpha, alpha, shape)).to(torch.float32)

    def width(self) -> Tensor:
        """From the lowest to the highest valid value, broadcastable to the images."""
        return self.bounds[1] - self.bounds[0]

    def clip(self, images: Tensor) -> Tensor:
        """The images within the bounds."""
        lower, upper = self.bounds
        return torch.minimum(torch.maximum(images, lower.to(images)), upper.to(images))


@dataclass(frozen=True)
class Augmentation(ABC):
    """A configured change of a batch.

    Args:
        strength: what it means belongs to each; ``range`` says which values it may take.

    Class attributes: ``mixes`` is True where labels come back as float ``(n, classes)``.
    """

    name: ClassVar[str]
    range: ClassVar[tuple[float, float]]
    mixes: ClassVar[bool] = False

    strength: float

    def __post_init__(self) -> None:
        low, high = self.range
        value: object = self.strength
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"augment: the strength of {self.name} is a number, got {value!r}")
        if not low <= value <= high:
            raise ConfigError(
                f"augment: the strength of {self.name} lies in [{low:g}, {high:g}], got {value!r}"
            )

    def __call__(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Changed images within the bounds, and their labels.

        Args:
            images: floating ``(n, channels, height, width)`` on the CPU; they are left as they were.
            labels: int64 ``(n,)``, or float ``(n, classes)`` where something has mixed them before.

        Raises:
            ConfigError: the batch holds no images.
        """
        if images.ndim != 4:
            raise ConfigError(
                f"augment: {self.name} takes batches (n, channels, height, width), got {tuple(images.shape)}",
                hint="leave augment out: there are no pictures here",
            )
        if self.mixes:
            labels = shares(labels, draw.classes)
        return self.apply(images, labels, draw) if self.strength else (images, labels)

    @abstractmethod
    def apply(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """As the call, at a strength above 0; for those that mix, ``labels`` are shares already."""


def shares(labels: Tensor, classes: int) -> Tensor:
    """Labels as float32 ``(n, classes)`` that sum to 1; those that are shares already stay as they are."""
    return labels if labels.ndim == 2 else F.one_hot(labels, classes).to(torch.float32)
