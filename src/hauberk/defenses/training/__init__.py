"""Defences that train the network."""

from __future__ import annotations

from hauberk.defenses.defense import Defense
from hauberk.defenses.training.augmented import AugmentedTraining
from hauberk.defenses.training.regularised import GradientPenalty, JacobianPenalty, LabelSmoothing, WeightDecay
from hauberk.defenses.training.spectral import SpectralNorm

from hauberk.defenses.training.adversarial import AdversarialTraining
from hauberk.defenses.training.crown_ibp import CrownIntervalTraining
from hauberk.defenses.training.gaussian import GaussianTraining
from hauberk.defenses.training.interval import IntervalTraining
from hauberk.defenses.training.samples import FGSMAugmentation

DEFENSES: tuple[type[Defense], ...] = (
    AdversarialTraining,
    FGSMAugmentation,
    GaussianTraining,
    IntervalTraining,
    CrownIntervalTraining,
    AugmentedTraining,
    WeightDecay,
    LabelSmoothing,
    GradientPenalty,
    JacobianPenalty,
    SpectralNorm,
)

__all__ = [
    "DEFENSES",
    "AdversarialTraining",
    "AugmentedTraining",
    "CrownIntervalTraining",
    "FGSMAugmentation",
    "GaussianTraining",
    "GradientPenalty",
    "IntervalTraining",
    "JacobianPenalty",
    "LabelSmoothing",
    "SpectralNorm",
    "WeightDecay",
]
