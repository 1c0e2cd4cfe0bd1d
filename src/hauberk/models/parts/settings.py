"""One clear line for each setting of a part that cannot be."""

from __future__ import annotations

import math
from typing import TypeGuard

from hauberk.core.errors import ConfigError


def require_whole(part: str, name: str, value: object, least: int, most: int | None = None) -> None:
    """A whole number in [``least``, ``most``]."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= (most or value):
        return
    allowed = f"at least {least}" if most is None else f"in [{least}, {most}]"
    raise ConfigError(f"{part}: {name} must be a whole number {allowed}, got {value!r}")


def require_share(part: str, name: str, value: object, *, least: float = 0.0, most: float = 1.0) -> None:
    """A number in [``least``, ``most``]."""
    if not _is_number(value) or not least <= value <= most:
        raise ConfigError(f"{part}: {name} must lie in [{least:g}, {most:g}], got {value!r}")


def require_above_zero(part: str, name: str, value: object) -> None:
    """A finite number above 0."""
    if not _is_number(value) or not value > 0:
        raise ConfigError(f"{part}: {name} must be a number above 0, got {value!r}")


def require_range(part: str, low: object, high: object) -> None:
    """Two finite numbers in order."""
    if not _is_number(low) or not _is_number(high) or not low < high:
        raise ConfigError(f"{part}: low must be below high, both numbers; got {low!r} and {high!r}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
