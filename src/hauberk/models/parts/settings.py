"""One clear line for each setting of a part that cannot be."""

from __future__ import annotations

import math

from hauberk.core.errors import ConfigError


def require_whole(part: str, name: str, value: object, least: int, most: int | None = None) -> None:
    """A whole number in [``least``, ``most``]."""
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
    if not fits or (most is not None and isinstance(value, int) and value > most):
        allowed = f"at least {least}" if most is None else f"in [{least}, {most}]"
        raise ConfigError(f"{part}: {name} must be a whole number {allowed}, got {value!r}")


def require_share(part: str, name: str, value: object, *, least: float = 0.0, most: float = 1.0) -> None:
    """A number in [``least``, ``most``]."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not isinstance(value, int | float) or not least <= value <= most:
        raise ConfigError(f"{part}: {name} must lie in [{least:g}, {most:g}], got {value!r}")


def require_above_zero(part: str, name: str, value: object) -> None:
    """A finite number above 0."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not isinstance(value, int | float) or not math.isfinite(value) or not value > 0:
        raise ConfigError(f"{part}: {name} must be a number above 0, got {value!r}")


def require_range(part: str, low: object, high: object) -> None:
    """Two finite numbers in order."""
    for value in (low, high):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{part}: low and high must be numbers, got {low!r} and {high!r}")
    if not float(str(low)) < float(str(high)):
        raise ConfigError(f"{part}: low must be below high, got {low!r} and {high!r}")
