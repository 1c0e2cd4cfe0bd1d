"""Times that documents carry as text, as the milliseconds that pages show."""

from __future__ import annotations

from datetime import UTC, datetime


def milliseconds(text: str) -> int | None:
    """POSIX milliseconds of an RFC 3339 time; None where it is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
