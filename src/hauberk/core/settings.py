"""Configured objects by name: one way to look them up and to refuse what does not exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

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
