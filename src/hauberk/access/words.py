"""What may be done, to what, and by whom: actions, patterns and names, each in one spelling only.

A pattern is MODEL or MODEL@VERSION. In MODEL a ``*`` stands for any characters, also none; VERSION is an
alias or a number, and without it all versions are meant. What is done to no model, such as ``access.manage``,
is named by the pattern ``*`` alone. For ``data.*`` a data set, or a table of tokens, stands in a model's place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from hauberk.core.errors import ConfigError, check_known

Effect = Literal["allow", "deny"]

ACTIONS = (
    "model.view",
    "model.pull",
    "model.predict",
    "model.push",
    "model.promote",
    "model.revoke",
    "model.evaluate",
    "access.manage",
    "access.view",
    "audit.read",
    "backup.run",
    "data.manage",
    "data.query",
    "data.reidentify",
    "ledger.append",
    "vault.admin",
)
ANY = "*"
_FAMILIES = tuple(dict.fromkeys(f"{one.partition('.')[0]}.{ANY}" for one in ACTIONS))

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,62}[a-z0-9])?", re.ASCII)
_ROLE = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)
_PATTERN = re.compile(r"[A-Za-z0-9_.*-]{1,128}(@[A-Za-z0-9_.:-]{1,80})?", re.ASCII)


@dataclass(frozen=True)
class Rule:
    """One permission, or one prohibition.

    Args:
        effect: allow or deny; where both speak of a thing, deny wins.
        action: one of ``ACTIONS``, all of a family (``model.*``), or ``*``.
        pattern: of models and versions.

    Raises:
        UnknownName: no such action.
        ConfigError: no pattern.
    """

    effect: Effect
    action: str
    pattern: str = ANY

    def __post_init__(self) -> None:
        if self.effect not in ("allow", "deny"):
            raise ConfigError(f"a rule allows or denies, got {self.effect!r}")
        expand(self.action)
        check_pattern(self.pattern)

    @classmethod
    def parse(cls, effect: Effect, text: str) -> Rule:
        """Read ``ACTION`` or ``ACTION:PATTERN``; raises as the class."""
        action, _, pattern = text.partition(":")
        return cls(effect, action, pattern if ":" in text else ANY)

    def __str__(self) -> str:
        return f"{self.action}:{self.pattern}"


@cache
def expand(action: str) -> tuple[str, ...]:
    """The actions that a word means.

    Raises:
        UnknownName: none.
    """
    if action == ANY:
        return ACTIONS
    if action in _FAMILIES:
        return tuple(one for one in ACTIONS if one.startswith(action[:-1]))
    check_known([action], (*ACTIONS, *_FAMILIES, ANY), what="action", where="a rule")
    return (action,)


def check_action(action: str) -> str:
    """One action, not a family of them."""
    check_known([action], ACTIONS, what="action", where="a decision")
    return action


def check_pattern(pattern: str) -> str:
    """Raises:
    ConfigError: it is none.
    """
    if not _PATTERN.fullmatch(pattern):
        raise ConfigError(
            f"{pattern[:80]!r} is no pattern of models",
            hint="letters, digits, -_. and * for anything, then perhaps @ and an alias or a version",
        )
    return pattern


def split_pattern(pattern: str) -> tuple[str, str | None]:
    """The part for models, and the version or None."""
    model, _, version = pattern.partition("@")
    return model, version or None


def is_name(text: str) -> bool:
    """Whether an identity can be called that."""
    return _NAME.fullmatch(text) is not None and text != OWNER


def check_name(name: str) -> str:
    """An identity's name: lower-case ASCII, so that no two look alike.

    Raises:
        ConfigError: something else.
    """
    if not is_name(name):
        raise ConfigError(
            f"{name[:80]!r} is no name for an identity",
            hint=f"a-z, 0-9 and ._@+- between them, at most 64, and not '{OWNER}'",
        )
    return name


def check_role(name: str) -> str:
    """The name of a role; raises as ``check_name``."""
    if not _ROLE.fullmatch(name):
        raise ConfigError(f"{name[:80]!r} is no name for a role", hint="a-z, 0-9 and -, at most 40")
    return name


OWNER = "owner"
"""Who holds the vault's folder and its key by the rights of files; he is no identity in the tables."""
