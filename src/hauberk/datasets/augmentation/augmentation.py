"""The frame of an augmentation: a batch in, a batch of the same shape out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
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

    @abstractmethod
    def __call__(self, images: Tensor, labels: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Changed images ``(n, channels, height, width)`` within the bounds, and their labels."""
