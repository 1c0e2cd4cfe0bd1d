"""Published vectors: in ``$HAUBERK_VECTORS``, or the folder ``shared/vectors`` beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

VECTORS = Path(os.environ.get("HAUBERK_VECTORS") or Path(__file__).parents[3] / "shared" / "vectors")


def files(folder: str, pattern: str = "*") -> list[Path]:
    """Sorted; empty where they are not installed."""
    return sorted((VECTORS / folder).glob(pattern))
