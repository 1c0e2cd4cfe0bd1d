"""Defences at inference time: parts around the network."""

from __future__ import annotations

from hauberk.defenses.defense import Defense
from hauberk.defenses.inference.detectors import (
    ConfidenceDetection,
    MahalanobisDetection,
    NeighbourDetection,
    SqueezingDetection,
)
from hauberk.defenses.inference.features import AutoencoderFront, FeatureFusion, FeatureSelection, PCAProjection
from hauberk.defenses.inference.smoothing import RandomisedSmoothing
from hauberk.defenses.inference.transformations import (
    BitDepthReduction,
    GaussianSmoothing,
    JPEGCompression,
    MedianSmoothing,
    Quantisation,
    RandomResizing,
    VariationMinimisation,
)

DEFENSES: tuple[type[Defense], ...] = (
    BitDepthReduction,
    Quantisation,
    JPEGCompression,
    MedianSmoothing,
    GaussianSmoothing,
    VariationMinimisation,
    RandomResizing,
    RandomisedSmoothing,
    SqueezingDetection,
    MahalanobisDetection,
    NeighbourDetection,
    ConfidenceDetection,
    PCAProjection,
    AutoencoderFront,
    FeatureSelection,
    FeatureFusion,
)

__all__ = [
    "DEFENSES",
    "AutoencoderFront",
    "BitDepthReduction",
    "ConfidenceDetection",
    "FeatureFusion",
    "FeatureSelection",
    "GaussianSmoothing",
    "JPEGCompression",
    "MahalanobisDetection",
    "MedianSmoothing",
    "NeighbourDetection",
    "PCAProjection",
    "Quantisation",
    "RandomResizing",
    "RandomisedSmoothing",
    "SqueezingDetection",
    "VariationMinimisation",
]
