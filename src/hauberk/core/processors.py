"""How many processors this process may use: fewer than the machine has where it was bound to some of them."""

from __future__ import annotations

import os


def processors() -> int:
    """At least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
