"""What an anonymised table must hold to, declared once: by options, in TOML or in Python.

quasi = ["age", "sex", "zip"]          # what others may know
sensitive = ["diagnosis"]              # what they must not learn
k = 10
l = 3
max_suppressed = 0.05

[hierarchies]
age = "age.csv"                        # a file, or intervals, dates, prefix, flat
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hauberk.core.errors import ConfigError, check_known
from hauberk.core.files import read_bytes
from hauberk.core.settings import check_settings, require_count, require_number, require_within

OUTPUTS = ("hierarchy", "sets")
L_KINDS = ("distinct", "entropy")
GROUNDS = ("equal", "ordered", "hierarchical")
MISSING_RULES = ("refuse", "suppress")
_WHERE = "anonymize"
_LISTS = ("quasi", "sensitive", "keep")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Columns, privacy models and limits. What is not named is left out of the output.

    Args:
        quasi: columns by which others may know a person; generalised.
        sensitive: columns that must not be learnt; published as they are, guarded by ``l`` and ``t``.
        keep: further columns that are published as they are and nobody else can know.
        hierarchies: for a quasi-identifier a file, or ``intervals``, ``dates``, ``prefix`` or ``flat``; for a
            sensitive column with ``t_distance="hierarchical"`` a file. ``auto`` where nothing is said.
        k: rows in every class, at least.
        l: different sensitive values in every class, at least (None: not asked); with ``entropy`` the
            exponential of their entropy.
        t: farthest a class's sensitive values may lie from the whole table's, as earth mover's distance in
            [0, 1].
        t_distance: the ground distance: ``equal`` (all values equally far), ``ordered`` (by rank; numbers by
            value), ``hierarchical``.
        presence: lowest and highest probability with which somebody of ``population`` is in the table.
        max_suppressed: largest share of rows that may be left out.
        output: ``hierarchy`` (every cell a node of its hierarchy) or ``sets`` (exactly the values of the
            class).
        missing: ``refuse`` empty cells of quasi-identifiers and sensitive columns, or ``suppress`` their rows.

    Raises:
        ConfigError: a setting that cannot be, or a column with two roles.
    """

    quasi: tuple[str, ...]
    sensitive: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    hierarchies: Mapping[str, str] = field(default_factory=dict)
    k: int = 2
    l: float | None = None  # noqa: E741 (the field's name for it)
    l_kind: str = "distinct"
    t: float | None = None
    t_distance: str = "equal"
    presence: tuple[float, float] | None = None
    max_suppressed: float = 0.05
    output: str = "hierarchy"
    missing: str = "refuse"

    def __post_init__(self) -> None:
        for name in _LISTS:
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        self._check_columns()
        require_count("k", self.k, _WHERE)
        require_within("max_suppressed", self.max_suppressed, _WHERE, "[0, 1)")
        if self.l is not None:
            require_number("l", self.l, _WHERE)
            if self.l < 1 or (self.l_kind == "distinct" and self.l != int(self.l)):
                what = "a whole number of at least 1" if self.l_kind == "distinct" else "at least 1"
                raise ConfigError(f"{_WHERE}: l must be {what}, got {self.l!r}")
        if self.t is not None:
            require_within("t", self.t, _WHERE, "[0, 1]")
        for name, known in (
            ("l_kind", L_KINDS), ("t_distance", GROUNDS), ("output", OUTPUTS), ("missing", MISSING_RULES),
        ):  # fmt: skip
            check_known([getattr(self, name)], known, what=name, where=_WHERE)
        if (self.l is not None or self.t is not None) and not self.sensitive:
            raise ConfigError(f"{_WHERE}: l and t protect a sensitive column; name one")
        if self.presence is not None:
            self._check_presence()

    def _check_columns(self) -> None:
        if not self.quasi:
            raise ConfigError(f"{_WHERE}: name at least one quasi-identifier")
        named = [*self.quasi, *self.sensitive, *self.keep]
        twice = [name for name in named if named.count(name) > 1]
        if twice:
            raise ConfigError(f"{_WHERE}: column '{twice[0]}' is given twice; a column has one role")
        if not isinstance(self.hierarchies, Mapping):
            raise ConfigError(f"{_WHERE}: hierarchies are written COLUMN = FILE, got {self.hierarchies!r}")
        check_known(
            self.hierarchies, [*self.quasi, *self.sensitive], what="column", where=f"{_WHERE}: hierarchies"
        )

    def _check_presence(self) -> None:
        given = self.presence
        if not isinstance(given, list | tuple) or len(given) != 2:
            raise ConfigError(f"{_WHERE}: presence is LOW and HIGH, got {given!r}")
        for name, value in zip(("lowest presence", "highest presence"), given, strict=True):
            require_within(name, value, _WHERE, "[0, 1]")
        if given[0] > given[1]:
            raise ConfigError(f"{_WHERE}: presence LOW must not lie above HIGH, got {given[0]} and {given[1]}")
        if self.output == "sets":
            raise ConfigError(f"{_WHERE}: presence is judged by hierarchies; it cannot go with output 'sets'")
        object.__setattr__(self, "presence", tuple(map(float, given)))

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are published."""
        return (*self.quasi, *self.sensitive, *self.keep)

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``hierarchies`` by their files' names, since folders are the machine's own matter."""
        document = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**document, "hierarchies": {name: Path(one).name for name, one in self.hierarchies.items()}}


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{_WHERE}: {name} is a list of columns, got {value!r}")
    return tuple(value)


def read_settings(path: str | Path) -> dict[str, Any]:
    """A plan's settings from TOML; hierarchy files are sought beside it.

    Raises:
        DataError: no such file.
        ConfigError: not TOML, or a key that does not exist (the nearest that does is named).
    """
    from hauberk.privacy.tables.intervals import KINDS

    path = Path(path)
    try:
        settings = tomllib.loads(read_bytes(path, what="configuration").decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    check_settings(Plan, settings, where=str(path))
    listed = settings.get("hierarchies", {})
    if isinstance(listed, Mapping):
        settings["hierarchies"] = {
            name: one if one in KINDS else str(path.parent / str(one)) for name, one in listed.items()
        }
    return settings
