"""Defences that train the network."""

from __future__ import annotations

from hauberk.defenses.defense import Defense
from hauberk.defenses.training.adversarial import AdversarialTraining
from hauberk.defenses.training.augmented import AugmentedTraining
from hauberk.defenses.training.crown_ibp import CrownIntervalTraining
from hauberk.defenses.training.distillation import DefensiveDistillation
from hauberk.defenses.training.expressive import ExpressiveTraining
from hauberk.defenses.training.fast import FastAdversarialTraining
from hauberk.defenses.training.free import FreeAdversarialTraining
from hauberk.defenses.training.gaussian import GaussianTraining
from hauberk.defenses.training.interval import IntervalTraining
from hauberk.defenses.training.mart import MART
from hauberk.defenses.training.mixing import FGSMMixing
from hauberk.defenses.training.regularised import GradientPenalty, JacobianPenalty, LabelSmoothing, WeightDecay
from hauberk.defenses.training.robust_distillation import RobustDistillation
from hauberk.defenses.training.samples import AdvGANAugmentation, FGSMAugmentation
from hauberk.defenses.training.spectral import SpectralNorm
from hauberk.defenses.training.thermometer import ThermometerEncoding
from hauberk.defenses.training.trades import TRADES

DEFENSES: tuple[type[Defense], ...] = (
    AdversarialTraining,
    TRADES,
    MART,
    FastAdversarialTraining,
    FreeAdversarialTraining,
    FGSMMixing,
    FGSMAugmentation,
    AdvGANAugmentation,
    DefensiveDistillation,
    RobustDistillation,
    GaussianTraining,
    IntervalTraining,
    CrownIntervalTraining,
    ExpressiveTraining,
    ThermometerEncoding,
    AugmentedTraining,
    WeightDecay,
    LabelSmoothing,
    GradientPenalty,
    JacobianPenalty,
    SpectralNorm,
)

__all__ = [
    "DEFENSES",
    "MART",
    "TRADES",
    "AdvGANAugmentation",
    "AdversarialTraining",
    "AugmentedTraining",
    "CrownIntervalTraining",
    "DefensiveDistillation",
    "ExpressiveTraining",
    "FGSMAugmentation",
    "FGSMMixing",
    "FastAdversarialTraining",
    "FreeAdversarialTraining",
    "GaussianTraining",
    "GradientPenalty",
    "IntervalTraining",
    "JacobianPenalty",
    "LabelSmoothing",
    "RobustDistillation",
    "SpectralNorm",
    "ThermometerEncoding",
    "WeightDecay",
]
