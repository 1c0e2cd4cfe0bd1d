"""Defences against poisoned data."""

from __future__ import annotations

from hauberk.defenses.defense import Defense

DEFENSES: tuple[type[Defense], ...] = ()

__all__ = ["DEFENSES"]
