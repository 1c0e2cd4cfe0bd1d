"""Defences that train the network."""

from __future__ import annotations

from hauberk.defenses.defense import Defense
from hauberk.defenses.training.adversarial import AdversarialTraining
from hauberk.defenses.training.samples import FGSMAugmentation

DEFENSES: tuple[type[Defense], ...] = (AdversarialTraining, FGSMAugmentation)

__all__ = ["DEFENSES", "AdversarialTraining", "FGSMAugmentation"]
