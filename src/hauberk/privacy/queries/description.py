"""What is public about a data set: its columns with bounds and categories, and whose privacy a unit is.

Nothing here may be read from the data. Bounds and categories that were looked up in the data would tell about
the people at their edges, so the data's steward writes them down from what anybody knows.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from hauberk.core.errors import ConfigError, DataError, check_known
from hauberk.core.files import read_bytes
from hauberk.core.settings import is_number, require_count, require_number

ROW = "row"
MOST_CATEGORIES = 10_000
MOST_ROWS = 10_000

_FINENESS = 22  # bits of a number's magnitude that are kept: sums of 2**40 rows fit into 64 bits


@dataclass(frozen=True)
class Column:
    """One column as it is declared.

    Args:
        kind: ``number`` (within bounds), ``category`` (one of ``values``) or ``open`` (any text; only good for
            grouping, and that costs delta).
        low, high: bounds of a number; what lies outside is moved to them.
        values: of a category.
        missing: what stands for a missing value; of a number by default the middle of its bounds. A category
            without it, or a value that is not declared, belongs to no group.

    Raises:
        ConfigError: bounds out of order, no values or too many, a ``missing`` that is no value of the column.
    """

    name: str
    kind: Literal["number", "category", "open"]
    low: float = 0.0
    high: float = 0.0
    values: tuple[str, ...] = ()
    missing: float | str | None = None

    def __post_init__(self) -> None:
        where = f"column {self.name}"
        check_known([self.kind], ("number", "category", "open"), what="type", where=where)
        object.__setattr__(self, "values", tuple(self.values))
        if self.kind == "number":
            self._check_number(where)
        elif self.kind == "category":
            require_count("values", len(self.values), where, most=MOST_CATEGORIES)
            if not all(isinstance(one, str) for one in self.values):
                raise ConfigError(f"{where}: values are texts, in quotes")
            if len(set(self.values)) != len(self.values):
                raise ConfigError(f"{where}: a value stands twice")
            if self.missing is not None and self.missing not in self.values:
                raise ConfigError(f"{where}: missing must be one of its values, got {self.missing!r}")

    def _check_number(self, where: str) -> None:
        for name in ("low", "high"):
            require_number(name, getattr(self, name), where)
            object.__setattr__(self, name, float(getattr(self, name)))
        if not self.low < self.high or self.magnitude > 1e300:
            raise ConfigError(f"{where}: bounds are two numbers in order, got {self.low:g} and {self.high:g}")
        if self.missing is None:
            object.__setattr__(self, "missing", (self.low + self.high) / 2)
        if not is_number(self.missing) or not self.low <= self.missing <= self.high:
            raise ConfigError(f"{where}: missing must lie within the bounds, got {self.missing!r}")
        object.__setattr__(self, "missing", float(self.missing))

    @property
    def magnitude(self) -> float:
        return max(abs(self.low), abs(self.high), self.high - self.low)

    @property
    def step(self) -> float:
        """Numbers become whole multiples of this power of two, so that sums are exact."""
        return 2.0 ** (math.ceil(math.log2(self.magnitude)) - _FINENESS)

    @property
    def grid(self) -> tuple[int, int]:
        """The bounds in steps."""
        return math.floor(self.low / self.step), math.ceil(self.high / self.step)


@dataclass(frozen=True)
class Description:
    """What is public about a data set.

    Args:
        columns: those that may be asked about, by name.
        unit: ``row``, or the column that names a person: then all rows of a person are protected together.
        most_rows: of one person; further ones are left out. 1 where the unit is a row.

    Raises:
        ConfigError: no columns, the unit's column among those that may be asked about, ``most_rows`` out of
            range.
    """

    columns: Mapping[str, Column]
    unit: str = ROW
    most_rows: int = 1

    def __post_init__(self) -> None:
        where = "the description"
        if not self.columns:
            raise ConfigError("no column is declared", hint="--bounds age=0:110, --values sex=f,m")
        require_count("most_rows", self.most_rows, where, most=MOST_ROWS)
        if self.unit == ROW and self.most_rows != 1:
            raise ConfigError("most_rows belongs to a unit that is a person: name its column as the unit")
        if self.unit in self.columns:
            raise ConfigError(f"'{self.unit}' names people: it cannot be asked about as well")

    @property
    def unit_text(self) -> str:
        """The unit in words."""
        if self.unit == ROW:
            return "one row"
        return f"all rows of one {self.unit}, at most {self.most_rows}"

    def column(self, name: str, *, where: str) -> Column:
        """A column by name; raises ``UnknownName`` with the nearest one."""
        check_known([name], self.columns, what="column", where=where)
        return self.columns[name]

    def to_json(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "most_rows": self.most_rows,
            "columns": [_listed(one) for one in self.columns.values()],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Description:
        columns = [Column(**one) for one in document["columns"]]
        return cls({one.name: one for one in columns}, document["unit"], document["most_rows"])


def _listed(column: Column) -> dict[str, Any]:
    return {**asdict(column), "values": list(column.values)}


def read_toml(path: str | Path) -> tuple[dict[str, Any], Description]:
    """A description in TOML: the settings besides, and the description.

    Raises:
        DataError: not TOML.
        ConfigError: a key that is unknown or misplaced.
    """
    try:
        document = tomllib.loads(read_bytes(path, what="description").decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} is not TOML: {error}") from error
    where = str(path)
    known = ("budget", "delta", "accounting", "unit", "most_rows", "askers", "columns")
    check_known(document, known, what="key", where=where)
    tables = document.pop("columns", {})
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise ConfigError(f"{where}: columns are tables, [columns.age]")
    columns = {name: _column(name, table, f"{where}: column {name}") for name, table in tables.items()}
    description = Description(columns, document.pop("unit", ROW), document.pop("most_rows", 1))
    return document, description


def _column(name: str, table: Mapping[str, Any], where: str) -> Column:
    check_known(table, ("type", "bounds", "values", "missing"), what="key", where=where)
    kind: Any = table.get("type") or (
        "number" if "bounds" in table else "category" if "values" in table else None
    )
    if kind is None:
        raise ConfigError(f'{where} needs bounds, values, or type = "open"')
    bounds = table.get("bounds", [0, 1] if kind != "number" else None)
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise ConfigError(f"{where}: bounds are two numbers, [0, 110]")
    values = table.get("values", [])
    if not isinstance(values, list):
        raise ConfigError(f"{where}: values are a list of texts")
    low, high = bounds if kind == "number" else (0.0, 0.0)
    return Column(name, kind, low, high, tuple(values), table.get("missing"))
