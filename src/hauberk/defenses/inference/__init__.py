"""Defences at inference time: parts around the network."""

from __future__ import annotations

from hauberk.defenses.defense import Defense
from hauberk.defenses.inference.transformations import BitDepthReduction

DEFENSES: tuple[type[Defense], ...] = (BitDepthReduction,)

__all__ = ["DEFENSES", "BitDepthReduction"]
