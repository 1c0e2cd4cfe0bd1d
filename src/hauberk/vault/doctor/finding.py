"""What one look at a place came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One look.

    Args:
        status: ``ok``; ``warn``, it should be better or cannot be seen from here; ``fail``, do not trust it.
        name: of the check, such as ``disk-encryption``.
        place: what was looked at.
        found: in a few words.
        why: what it is good for.
        todo: what to do; empty where it is in order.
    """

    status: Status
    name: str
    place: str
    found: str
    why: str
    todo: str = ""
