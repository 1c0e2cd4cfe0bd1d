"""What may stand around a network: transformations of its input, detectors, smoothing. Built again by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hauberk.core.errors import ConfigError, check_known
from hauberk.models.parts.autoencoding import Autoencoder
from hauberk.models.parts.compression import JPEG
from hauberk.models.parts.distances import Mahalanobis, NearestNeighbours
from hauberk.models.parts.filtering import GaussianBlur, Median
from hauberk.models.parts.fusing import FusedFeatures
from hauberk.models.parts.noise import Smoothing
from hauberk.models.parts.part import Gradient, Inner, Part, refusing
from hauberk.models.parts.projection import Projection
from hauberk.models.parts.quantising import BitDepth, Quantise, best_levels
from hauberk.models.parts.rejection import Confidence, Detector
from hauberk.models.parts.resizing import ResizePad
from hauberk.models.parts.selecting import Selection
from hauberk.models.parts.squeezing import FeatureSqueezing
from hauberk.models.parts.variation import DroppedTotalVariation, TotalVariation

_TRANSFORMATIONS: tuple[type[Part], ...] = (
    BitDepth, Quantise, JPEG, Median, GaussianBlur, TotalVariation, DroppedTotalVariation, ResizePad, Smoothing
)  # fmt: skip

_DETECTORS: tuple[type[Part], ...] = (FeatureSqueezing, Mahalanobis, NearestNeighbours, Confidence)

_FEATURES: tuple[type[Part], ...] = (Projection, Autoencoder, Selection, FusedFeatures)

PARTS: dict[str, type[Part]] = {one.name: one for one in (*_TRANSFORMATIONS, *_DETECTORS, *_FEATURES)}


def make_part(name: str, args: Mapping[str, Any]) -> Part:
    """A part by its name.

    Raises:
        UnknownName: no such part.
        ConfigError: arguments it does not take.
    """
    check_known([name], PARTS, what="part", where="the model's defences")
    try:
        return PARTS[name](**args)
    except TypeError as error:
        raise ConfigError(f"part {name} refused its arguments {dict(args)}: {error}") from error


__all__ = [
    "JPEG",
    "PARTS",
    "Autoencoder",
    "BitDepth",
    "Confidence",
    "Detector",
    "DroppedTotalVariation",
    "FeatureSqueezing",
    "FusedFeatures",
    "GaussianBlur",
    "Gradient",
    "Inner",
    "Mahalanobis",
    "Median",
    "NearestNeighbours",
    "Part",
    "Projection",
    "Quantise",
    "ResizePad",
    "Selection",
    "Smoothing",
    "TotalVariation",
    "best_levels",
    "make_part",
    "refusing",
]
