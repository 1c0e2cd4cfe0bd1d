"""What models, aliases and versions are called, each in one spelling only.

Names are ASCII, so that no two look alike; a version is named by NAME@NUMBER, NAME@ALIAS or NAME@sha256:DIGEST,
and NAME alone is the newest that is not revoked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hauberk.core.errors import ConfigError

LONGEST = 100
PRODUCTION = "production"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9])?", re.ASCII)
_ALIAS = re.compile(r"[a-z](?:[a-z0-9_.-]{0,38}[a-z0-9])?", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_RESERVED = ("sha256", "latest", "newest")


@dataclass(frozen=True)
class Reference:
    """A version by one of its names; all three None for the newest."""

    model: str
    number: int | None = None
    alias: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        named = self.number or self.alias or self.digest
        return f"{self.model}@{named}" if named else self.model


def check_model(name: str) -> str:
    """The name of a model.

    Raises:
        ConfigError: it is none.
    """
    return _checked(name, "a model")


def check_dataset(name: str) -> str:
    """The name of a data set, or of a table of tokens; raises as ``check_model``."""
    return _checked(name, "a data set in a vault")


def _checked(name: str, what: str) -> str:
    if not _NAME.fullmatch(name) or ".." in name:
        raise ConfigError(
            f"{name[:LONGEST]!r} is no name for {what}",
            hint=f"ASCII letters, digits and -_. between them, at most {LONGEST}; no slash, no '..'",
        )
    return name


def check_alias(alias: str) -> str:
    """A name that moves from version to version; raises as ``check_model``."""
    if not _ALIAS.fullmatch(alias) or ".." in alias or alias in _RESERVED:
        raise ConfigError(
            f"{alias[:LONGEST]!r} is no alias",
            hint="a-z first, then also 0-9 and -_., at most 40, such as staging or production",
        )
    return alias


def parse_reference(text: str) -> Reference:
    """Read ``NAME``, ``NAME@3``, ``NAME@production`` or ``NAME@sha256:…``.

    Raises:
        ConfigError: it is none of these.
    """
    model, at, version = text.partition("@")
    check_model(model)
    if not at:
        return Reference(model)
    if re.fullmatch(r"[1-9][0-9]{0,8}", version, re.ASCII):
        return Reference(model, number=int(version))
    if _DIGEST.fullmatch(version):
        return Reference(model, digest=version)
    try:
        return Reference(model, alias=check_alias(version))
    except ConfigError:
        raise ConfigError(
            f"{text[:LONGEST]!r} names no version", hint="NAME@3, NAME@production or NAME@sha256:…"
        ) from None
