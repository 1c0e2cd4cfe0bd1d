"""How sure a share of n samples can be."""

from __future__ import annotations

from hauberk.core.intervals import wilson

__all__ = ["wilson"]
