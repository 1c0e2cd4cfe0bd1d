"""What is done with what is found: a policy, as a TOML file says it or as the safe default.

    [default]                 # for types without an entry of their own
    action = "tag"
    [types.MOBILE]
    action = "mask"
    first = 3
    [columns]                 # whole columns of tables: a type, "keep" or "drop"
    phone = "MOBILE"
    [detect]
    least_score = 0.5
    [detect.patterns]
    STAFF = "GH[0-9]{6}"

Without a file everything that is found becomes a tag.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError, DataError, check_known
from hauberk.core.files import read_bytes
from hauberk.core.settings import require_within
from hauberk.privacy.text.detector import LANGUAGES, Detector
from hauberk.privacy.text.finding import TYPES
from hauberk.privacy.text.policy.actions import (
    Action,
    Pseudonym,
    Random,
    Tag,
    action_of,
    check_fits,
    described,
)
from hauberk.privacy.text.policy.columns import AGE, type_of
from hauberk.privacy.text.policy.keys import TOKEN_LETTERS, WRITING_LETTERS

KEEP, DROP = "keep", "drop"

_SECTIONS = ("default", "types", "columns", "detect")
_DETECT = ("types", "languages", "patterns", "words", "least_score", "known_columns")
_TYPE_NAME = re.compile(r"[^\W_]\w{0,39}")


@dataclass(frozen=True)
class Policy:
    """Frozen and complete; two that are equal treat alike.

    Args:
        default: for types that have no action of their own.
        types: an action for each of these types.
        columns: for columns of tables by name: a type, ``keep`` or ``drop``.
        types_sought: keys of ``TYPES`` and own ones to look for in text; None for all.
        languages: of names and addresses.
        patterns: own regular expressions by type.
        words: own word lists by type.
        least_score: findings that are less sure are left alone.
        known_columns: take whole columns whose name says what they hold, such as ``phone``.

    Raises:
        ConfigError: a type, action or setting that does not exist or does not fit.
    """

    default: Action = Tag()
    types: Mapping[str, Action] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    types_sought: frozenset[str] | None = None
    languages: frozenset[str] = frozenset(LANGUAGES)
    patterns: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    least_score: float = 0.0
    known_columns: bool = True

    def __post_init__(self) -> None:
        require_within("least_score", self.least_score, "policy", "[0, 1]")
        for kind in (*self.patterns, *self.words):
            if not _TYPE_NAME.fullmatch(kind) or kind in (KEEP, DROP):
                raise ConfigError(f"policy: a type is a word of at most 40 letters, got {kind!r}")
        check_known(self.types, self.known, what="type", where="[types] of the policy")
        for name, kind in self.columns.items():
            check_known([kind], {*self.known, KEEP, DROP}, what="type", where=f"column {name!r} of the policy")
        for kind in self.known:
            if kind in self.types:
                check_fits(kind, self.types[kind], where=f"[types.{kind}] of the policy")
        for kind in self.known - self.types.keys():
            check_fits(kind, self.default, where="[default] of the policy")

    @property
    def known(self) -> frozenset[str]:
        """All types that a value may have."""
        return frozenset((*TYPES, AGE, *self.patterns, *self.words))

    def action(self, kind: str) -> Action:
        return self.types.get(kind, self.default)

    def rule(self, column: str | None) -> str | None:
        """What is done with a whole column: a type, ``keep``, ``drop``, or None to look into its cells."""
        if column is None:
            return None
        named = self.columns.get(column)
        return named if named is not None or not self.known_columns else type_of(column)

    @property
    def detector(self) -> Detector:
        """Made anew at each call; it takes a while."""
        return Detector(
            types=self.types_sought, languages=self.languages, patterns=self.patterns, words=self.words
        )

    @property
    def marks(self) -> re.Pattern[str]:
        """What treating puts into texts, and does not treat again: tags, and pseudonyms in brackets."""
        names = "|".join(sorted(map(re.escape, self.known), key=len, reverse=True))
        token = rf"[a-z2-7]{{{TOKEN_LETTERS}}}(?:#|~[a-z2-7]{{{WRITING_LETTERS}}})?"
        return re.compile(rf"\[(?P<name>(?:{names})(?::{token})?)\]")

    @property
    def actions(self) -> tuple[Action, ...]:
        return (self.default, *self.types.values())

    @property
    def makes_pseudonyms(self) -> bool:
        return any(isinstance(one, Pseudonym) for one in self.actions)

    @property
    def makes_tokens(self) -> bool:
        return any(isinstance(one, Pseudonym) and one.reversible for one in self.actions)

    @property
    def draws(self) -> bool:
        return any(isinstance(one, Random) for one in self.actions)

    def to_json(self) -> dict[str, Any]:
        """As a policy file would say it, complete: ``of`` reads it back."""
        return {
            "default": described(self.default),
            "types": {kind: described(one) for kind, one in sorted(self.types.items())},
            "columns": dict(sorted(self.columns.items())),
            "detect": {
                "types": None if self.types_sought is None else sorted(self.types_sought),
                "languages": sorted(self.languages),
                "patterns": dict(sorted(self.patterns.items())),
                "words": {kind: list(one) for kind, one in sorted(self.words.items())},
                "least_score": self.least_score,
                "known_columns": self.known_columns,
            },
        }

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of all of it, word lists included."""
        return digest(self.to_json())

    @classmethod
    def of(cls, document: Mapping[str, Any], *, folder: Path | None = None, where: str = "policy") -> Policy:
        """A policy from the tables of its file.

        Args:
            folder: where word lists that are named as files lie.

        Raises:
            ConfigError: a section, setting or type that does not exist, or a value that is out of range.
            DataError: a word list that is missing.
        """
        check_known(document, _SECTIONS, what="section", where=where)
        detect = _table(document, "detect", where)
        check_known(detect, _DETECT, what="setting", where=f"[detect] of {where}")
        known_columns = detect.get("known_columns", True)
        if not isinstance(known_columns, bool):
            raise ConfigError(f"{where}: known_columns is true or false, got {known_columns!r}")
        sought = detect.get("types")
        return cls(
            default=action_of(document.get("default", "tag"), where=f"[default] of {where}"),
            types={
                kind: action_of(one, where=f"[types.{kind}] of {where}")
                for kind, one in _table(document, "types", where).items()
            },
            columns=_texts(_table(document, "columns", where), f"[columns] of {where}"),
            types_sought=None if sought is None else frozenset(_list(sought, f"types of {where}")),
            languages=frozenset(_list(detect.get("languages", list(LANGUAGES)), f"languages of {where}")),
            patterns=_texts(_table(detect, "patterns", where), f"[detect.patterns] of {where}"),
            words={
                kind: _words(one, folder, f"[detect.words] of {where}")
                for kind, one in _table(detect, "words", where).items()
            },
            least_score=detect.get("least_score", 0.0),
            known_columns=known_columns,
        )

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """A policy file in TOML; raises as ``of``, and ``DataError`` where it is none."""
        path = Path(path)
        try:
            document = tomllib.loads(read_bytes(path, what="policy").decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{path} is not valid TOML: {error}") from None
        return cls.of(document, folder=path.parent, where=str(path))


def _table(document: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    found = document.get(name, {})
    if not isinstance(found, Mapping):
        raise ConfigError(f"{where}: [{name}] is a table, got {found!r}")
    return found


def _texts(table: Mapping[str, Any], where: str) -> dict[str, str]:
    for name, value in table.items():
        if not isinstance(value, str):
            raise ConfigError(f"{where}: {name} is text, got {value!r}")
    return dict(table)


def _list(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{where} is a list of text, got {value!r}")
    return value


def _words(value: object, folder: Path | None, where: str) -> tuple[str, ...]:
    """A list, or a file with one word a line."""
    if isinstance(value, str):
        lines = read_bytes((folder or Path()) / value, what="word list").decode("utf-8-sig").splitlines()
        return tuple(one.strip() for one in lines if one.strip())
    return tuple(_list(value, where))
