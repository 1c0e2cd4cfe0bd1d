"""The frame of every corruption: check the question, scale to [0, 1], corrupt, clip, scale back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from hauberk.core.errors import ConfigError, DataError
from hauberk.datasets.corruptions.draws import Draws
from hauberk.datasets.dataset import Dataset

SEVERITIES = (1, 2, 3, 4, 5)
SMALLEST_SIDE = 8

_SMALL, _LARGE = 32, 224  # the sides, in pixels, for which the two columns of severities are given
_EDGE = math.isqrt(_SMALL * _LARGE)  # between the two, as a ratio: 84
_CHUNK_BYTES = 4 << 20  # of images worked on at a time

Ladder = tuple[tuple[float, ...], ...]  # one row a severity, in the order of the fields


def within(low: float, high: float) -> dict[str, tuple[float, float]]:
    """The metadata of a field: the values it may take, ends included."""
    return {"within": (low, high)}


@dataclass(frozen=True, kw_only=True)
class Corruption(ABC):
    """A configured, immutable callable: data set in, corrupted data set out. Its ``repr`` is complete.

    Subclasses state their amounts as fields, the five severities as ``small`` (for images about 32 pixels wide)
    and ``large`` (about 224), and supply ``apply``. Fields in ``lengths`` are pixels: ``at`` scales them to the
    image, so that a blur covers the same share of a 28 pixel image as of one of 32.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    small: ClassVar[Ladder]
    large: ClassVar[Ladder]
    lengths: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            low, high = one.metadata["within"]
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not low <= value <= high:  # NaN is in no range
                raise ConfigError(
                    f"{type(self).__name__}: {one.name} must be a number in [{low:g}, {high:g}], got {value!r}"
                )

    def __repr__(self) -> str:
        parts = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self))
        return f"{type(self).__name__}({parts})"

    @classmethod
    def at(cls, severity: int, side: int) -> Self:
        """The corruption at a severity from 1 to 5, for images whose shorter side is ``side`` pixels.

        Raises:
            ConfigError: no such severity.
        """
        if type(severity) is not int or severity not in SEVERITIES:
            raise ConfigError(f"severity must be a whole number from 1 to 5, got {severity!r}")
        ladder, of = (cls.small, _SMALL) if side < _EDGE else (cls.large, _LARGE)
        row = zip(fields(cls), ladder[severity - 1], strict=True)
        return cls(
            **{
                one.name: round(value * side / of, 6) if one.name in cls.lengths else value
                for one, value in row
            }
        )

    @abstractmethod
    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Corrupt float32 ``(n, c, h, w)`` in [0, 1]; what leaves [0, 1] is clipped by the caller."""

    def __call__(
        self, data: Dataset, *, seed: int = 0, indices: Tensor | None = None, note: str | None = None
    ) -> Dataset:
        """Corrupt all images of a data set.

        Args:
            data: images ``(n, 1 or 3, h, w)``, sides of at least 8 pixels.
            seed: names all random choices. A sample's corruption depends on seed and index only: neither on
                its neighbours nor on the amounts, so severities differ by amount and not by luck.
            indices: int64 ``(n,)``: each sample's number in its data set; default 0, 1, 2, ...
            note: what the name of the new data set says; default the ``repr``.

        Raises:
            DataError: not images of one or three channels, or too small.
            ConfigError: indices that do not fit.
        """
        check_corruptible(data)
        numbers = _check_indices(indices, len(data))
        low, high = data.bounds
        made = torch.empty(data.images.shape)  # contiguous, whatever the layout of the original
        size = max(1, _CHUNK_BYTES // (4 * math.prod(data.input_shape)))
        for start in range(0, len(data), size):
            part = slice(start, start + size)
            images = (data.images[part] - low) / (high - low)
            draws = Draws(seed, self.name, numbers[part])
            made[part] = self.apply(images, draws).clamp_(0, 1) * (high - low) + low
        made.clamp_(low, high)  # the last rounding
        return replace(data, name=f"{data.name}[{note or repr(self)}]", images=made)


def check_corruptible(data: object) -> Dataset:
    """Images of one or three channels, at least 8x8.

    Raises:
        DataError: anything else.
    """
    if not isinstance(data, Dataset):
        raise DataError(f"expected a Dataset, got {type(data).__name__}")
    shape = data.input_shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise DataError(
            f"corruptions are for images (n, 1 or 3 channels, height, width), {data.name} has "
            f"{tuple(data.images.shape)}"
        )
    if min(shape[1:]) < SMALLEST_SIDE:
        raise DataError(
            f"corruptions need images of at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels, {data.name} has "
            f"{shape[1]}x{shape[2]}"
        )
    return data


def _check_indices(indices: Tensor | None, count: int) -> list[int]:
    if indices is None:
        return list(range(count))
    whole = isinstance(indices, Tensor) and not indices.is_floating_point() and indices.dtype != torch.bool
    if not whole or indices.shape != (count,) or int(indices.min()) < 0:
        raise ConfigError(f"indices must be {count} whole numbers of at least 0, one per image")
    return [int(one) for one in indices]
