"""Transformations of the input, each a part around the network."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_above_zero, require_count, require_within
from hauberk.datasets import Dataset
from hauberk.defenses.defense import Wrap
from hauberk.models import Classifier
from hauberk.models.parts import (
    JPEG,
    BitDepth,
    DroppedTotalVariation,
    GaussianBlur,
    Median,
    Part,
    Quantise,
    ResizePad,
    TotalVariation,
    best_levels,
)


@dataclass(frozen=True, kw_only=True)
class InputTransformation(Wrap):
    """A part made from settings and the range of the input. The part itself checks the settings.

    Class attribute ``pictures``: whether inputs must be ``(channels, height, width)``.
    """

    pictures: ClassVar[bool] = True

    @abstractmethod
    def made(self, low: float, high: float) -> Part:
        """The part for inputs within [``low``, ``high``]."""

    def __post_init__(self) -> None:
        self.made(0.0, 1.0)

    def part(self, classifier: Classifier, data: Dataset, seed: int) -> Part:
        if self.pictures and len(classifier.input_shape) != 3:
            raise ConfigError(
                f"{self.name} takes images (channels, height, width), the classifier takes "
                f"{classifier.input_shape}"
            )
        lower, upper = classifier.bounds.tensors(data.images)
        return self.made(float(lower.min()), float(upper.max()))


@dataclass(frozen=True, kw_only=True)
class BitDepthReduction(InputTransformation):
    """Rounds the input to ``2 ** bits`` levels; see ``BitDepth``."""

    name: ClassVar[str] = "bit-depth"
    pictures: ClassVar[bool] = False

    bits: int = 3

    def made(self, low: float, high: float) -> Part:
        return BitDepth(self.bits, low, high)


@dataclass(frozen=True, kw_only=True)
class Quantisation(Wrap):
    """Replaces each value by the nearest of ``levels`` learnt from the data; see ``Quantise``.

    Args:
        levels: how many, from 2 on; fewer are taken where the data hold fewer values.
        share: of the data's images to learn from, the first ones.
    """

    name: ClassVar[str] = "quantise"

    levels: int = 4
    share: float = 1.0

    def __post_init__(self) -> None:
        require_count("levels", self.levels, self.name, least=2, most=256)
        require_within("share", self.share, self.name, "[1e-6, 1]")

    def part(self, classifier: Classifier, data: Dataset, seed: int) -> Part:
        seen = data.images[: max(1, round(self.share * len(data)))]
        return Quantise(best_levels(seen, self.levels))


@dataclass(frozen=True, kw_only=True)
class JPEGCompression(InputTransformation):
    """Compresses the input as JPEG; see ``JPEG``."""

    name: ClassVar[str] = "jpeg"

    quality: int = 75

    def made(self, low: float, high: float) -> Part:
        return JPEG(self.quality, low, high)


@dataclass(frozen=True, kw_only=True)
class MedianSmoothing(InputTransformation):
    """Takes the median of ``size`` x ``size`` pixels; see ``Median``."""

    name: ClassVar[str] = "median"

    size: int = 3

    def made(self, low: float, high: float) -> Part:
        return Median(self.size)


@dataclass(frozen=True, kw_only=True)
class GaussianSmoothing(InputTransformation):
    """Blurs with a Gaussian of ``sigma`` pixels; see ``GaussianBlur``."""

    name: ClassVar[str] = "gaussian-blur"

    sigma: float = 0.8

    def made(self, low: float, high: float) -> Part:
        return GaussianBlur(self.sigma)


@dataclass(frozen=True, kw_only=True)
class VariationMinimisation(InputTransformation):
    """Redraws the input with little total variation; see ``TotalVariation``.

    Args:
        weight: of the variation, for inputs one unit wide; it grows with the range.
        drop: share of pixels dropped at random first, as in the paper; 0: none, and nothing random.
    """

    name: ClassVar[str] = "total-variation"

    weight: float = 0.1
    steps: int = 30
    drop: float = 0.0

    def made(self, low: float, high: float) -> Part:
        require_above_zero("weight", self.weight, self.name)
        weight = self.weight * (high - low)
        if self.drop == 0:
            return TotalVariation(weight, self.steps)
        return DroppedTotalVariation(weight, self.steps, self.drop)


@dataclass(frozen=True, kw_only=True)
class RandomResizing(InputTransformation):
    """Shrinks the input to a random size and pads it at a random place; see ``ResizePad``."""

    name: ClassVar[str] = "resize-pad"

    smallest: float = 0.8

    def made(self, low: float, high: float) -> Part:
        return ResizePad(self.smallest, low, high)
