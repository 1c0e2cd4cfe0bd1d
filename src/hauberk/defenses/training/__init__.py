"""Defences that train the network."""

from __future__ import annotations

from hauberk.defenses.defense import Defense
from hauberk.defenses.training.adversarial import AdversarialTraining
from hauberk.defenses.training.gaussian import GaussianTraining
from hauberk.defenses.training.interval import IntervalTraining
from hauberk.defenses.training.samples import FGSMAugmentation

DEFENSES: tuple[type[Defense], ...] = (AdversarialTraining, FGSMAugmentation, GaussianTraining, IntervalTraining)

__all__ = ["DEFENSES", "AdversarialTraining", "FGSMAugmentation", "GaussianTraining", "IntervalTraining"]
