"""Defences of several models: ensembles, and the fusion of a clean and a hardened one."""

from __future__ import annotations

from hauberk.defenses.defense import Defense
from hauberk.defenses.several.diversity import ADP, log_diversity
from hauberk.defenses.several.ensemble import Ensemble, Snapshot
from hauberk.defenses.several.fusion import Fusion

DEFENSES: tuple[type[Defense], ...] = (Ensemble, Snapshot, ADP, Fusion)

__all__ = ["ADP", "DEFENSES", "Ensemble", "Fusion", "Snapshot", "log_diversity"]
