"""Configured objects: one way to look them up by name, and one clear line for each setting that cannot be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeGuard, TypeVar

from hauberk.core.errors import ConfigError, check_known

Kind = TypeVar("Kind")


def check_settings(kind: Any, settings: Iterable[object], *, where: str) -> None:
    """Refuse the first setting that is no field of the dataclass ``kind``.

    Raises:
        UnknownName: with the nearest one that is.
    """
    check_known(settings, [one.name for one in fields(kind)], what="setting", where=where)


def configure(
    kinds: Mapping[str, type[Kind]],
    name: str,
    settings: Mapping[str, Any],
    *,
    what: str,
    where: str,
    noun: str | None = None,
) -> Kind:
    """One of several dataclasses by its name, with its settings.

    Args:
        what: the noun for a name that does not exist; ``where`` is the call in which it stands.
        noun: for its settings, where that differs from ``what``.

    Raises:
        UnknownName: no such name, or no such setting.
        ConfigError: a setting that lacks, or is out of range.
    """
    check_known([name], kinds, what=what, where=where)
    kind: Any = kinds[name]
    own = f"{noun or what} {name}"
    check_settings(kind, settings, where=own)
    needed = [one for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    lacking = [one.name for one in needed if one.name not in settings]
    if lacking:
        raise ConfigError(f"{own} needs {' and '.join(lacking)}")
    made: Kind = kind(**settings)
    return made


def is_number(value: object) -> TypeGuard[float]:
    """A finite number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def require_count(name: str, value: object, where: str, *, least: int = 1, most: int | None = None) -> None:
    """A whole number from ``least`` to ``most``."""
    highest = math.inf if most is None else most
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= highest:
        return
    allowed = f"of at least {least}" if most is None else f"in [{least}, {most}]"
    raise ConfigError(f"{where}: {name} must be a whole number {allowed}, got {value!r}")


def require_number(name: str, value: object, where: str) -> None:
    """A finite number."""
    if not is_number(value):
        raise ConfigError(f"{where}: {name} must be a number, got {value!r}")


def require_positive(name: str, value: object, where: str, *, hint: str | None = None) -> None:
    """A finite number above 0."""
    require_number(name, value, where)
    if not is_number(value) or not value > 0:
        raise ConfigError(f"{where}: {name} must be above 0, got {value!r}", hint=hint)


def require_above_zero(name: str, value: object, where: str) -> None:
    """As ``require_positive``, with one line for all that is wrong."""
    if not is_number(value) or not value > 0:
        raise ConfigError(f"{where}: {name} must be a number above 0, got {value!r}")


def require_within(name: str, value: object, where: str, interval: str, *, hint: str | None = None) -> None:
    """A number in an interval, which is written as in mathematics: ``[0, 1)`` holds 0 and not 1."""
    low, high = (float(one) for one in interval[1:-1].split(","))
    if is_number(value):
        above = value > low or (value == low and interval[0] == "[")
        below = value < high or (value == high and interval[-1] == "]")
        if above and below:
            return
    raise ConfigError(f"{where}: {name} must lie in {interval}, got {value!r}", hint=hint)


def require_range(low: object, high: object, where: str) -> None:
    """Two finite numbers in order."""
    if not is_number(low) or not is_number(high) or not low < high:
        raise ConfigError(f"{where}: low must be below high, both numbers; got {low!r} and {high!r}")
