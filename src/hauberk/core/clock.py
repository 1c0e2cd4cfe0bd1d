"""Time as an argument: whoever stamps a record takes a ``Clock``, and tests hand in their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def timestamp(clock: Clock = now) -> str:
    """RFC 3339 with seconds, such as ``2026-01-31T09:30:00Z``."""
    return clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
