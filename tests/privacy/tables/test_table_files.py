"""Tables and hierarchies from files: both readers agree, and what cannot be read is said in one line."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.core.errors import ConfigError, DataError, HauberkError, UnknownName
from hauberk.privacy.tables import Table, read_table, write_table
from hauberk.privacy.tables import reading as reading_module
from hauberk.privacy.tables.hierarchies import read_hierarchy
from hauberk.privacy.tables.intervals import made_hierarchy
from hauberk.privacy.tables.table import Column

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=8)


def plain(table: Table) -> dict[str, list[str]]:
    return {name: table[name].texts() for name in table.names}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12))
def test_both_readers_and_the_writer_agree_with_the_csv_module(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "some.csv"
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("one", "two"), *rows])
    path.write_bytes(text.getvalue().encode())
    expected = {"one": [a for a, _ in rows], "two": [b for _, b in rows]}
    slow = reading_module._read_slowly(path, ("one", "two"), ("one", "two"), "utf-8-sig", ",")
    assert plain(slow) == expected
    table = read_table(path)
    assert plain(table) == expected
    write_table(path, table, delimiter=";")
    assert plain(read_table(path, delimiter=";")) == expected
    with open(path, newline="", encoding="utf-8") as file:
        assert [tuple(row) for row in csv.reader(file, delimiter=";")] == [("one", "two"), *rows]


@pytest.mark.parametrize("fast", [True, False])
def test_dress(tmp_path: Path, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        monkeypatch.setitem(sys.modules, "pyarrow", None)  # as on a machine without it
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeff姓名;年龄\r\n张三;41\r\n\r\n"李;四";7\r\n'.encode())
    assert plain(read_table(path)) == {"姓名": ["张三", "李;四"], "年龄": ["41", "7"]}
    assert plain(read_table(path, ["年龄"])) == {"年龄": ["41", "7"]}
    path.write_bytes("姓名,年龄\n张三,41\n".encode("gb18030"))
    for encoding in ("gb18030", None):
        assert plain(read_table(path, encoding=encoding)) == {"姓名": ["张三"], "年龄": ["41"]}
    with pytest.raises(DataError, match="is not utf-8"):
        read_table(path, encoding="utf-8")
    path.write_bytes("姓名,年龄\n张三,41\n李四,42\n".encode()[:-5] + b"\xe6\n")  # nearly UTF-8 is no GB18030
    with pytest.raises(DataError, match=r"line 3: not valid UTF-8, and no GB18030 \(byte 27\)"):
        read_table(path)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3\n", r"row 2 \(line 3\): 1 cells, 2 names"),
        ("a,b\n1,2,3\n", r"row 1 \(line 2\): 3 cells, 2 names"),
        ("a,b,a\n1,2,3\n", "column 'a' is named twice"),
        ("a,,c\n1,2,3\n", "column 2 has no name"),
        ("a,b\n", "has no rows"),
        ("", "is empty"),
        ('a,b\n1,"2\n', "line 2: unexpected end of data"),
    ],
)
def test_what_is_no_table(
    tmp_path: Path, text: str, said: str, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_table(path)


def test_a_line_without_end_does_not_fill_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "LONGEST_LINE", 1 << 10)
    monkeypatch.setattr(reading_module, "_BLOCK", 1 << 10)
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1," + "x" * 5000 + "\n")
    with pytest.raises(DataError, match="line 2: longer than 1024 characters"):
        read_table(path)


def test_names_and_settings_that_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("age,sex\n1,2\n")
    with pytest.raises(UnknownName, match="did you mean 'age'"):
        read_table(path, ["aeg"])
    with pytest.raises(ConfigError, match="unknown encoding 'utf-9'"):
        read_table(path, encoding="utf-9")
    with pytest.raises(ConfigError, match="a delimiter is one character"):
        read_table(path, delimiter="--")
    with pytest.raises(DataError, match="no table at"):
        read_table(tmp_path / "b.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path)


def test_parquet(tmp_path: Path, absent: Callable[[str, str], None]) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return absent("pyarrow", "pip install 'hauberk[parquet]'")
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"age": [41, None, 7], "sex": ["f", "m", "f"]}), path)
    table = read_table(path)
    assert plain(table) == {"age": ["41", "", "7"], "sex": ["f", "m", "f"]}
    write_table(tmp_path / "b.parquet", table)
    assert pq.read_table(tmp_path / "b.parquet").to_pydict() == plain(table)
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="is not a Parquet table"):
        read_table(path)
    return None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a;x;*\nb;*\n", "line 2: 2 levels, but 3"),
        ("a;x;*\na;y;*\n", "value 'a' stands in it twice"),
        ("a;x;p;*\nb;x;q;*\n", "'x' lies under both 'p' and 'q'"),
        ("a;x;*\nx;y;*\n", "'x' stands for different values on different levels"),
        ("", "holds no hierarchy"),
    ],
)
def test_what_is_no_hierarchy(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "h.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_hierarchy(path)


def test_a_hierarchy_as_the_arx_tool_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_bytes(b"c;w;*\r\na;v;*\r\nb;v;*")
    tree = read_hierarchy(path)
    assert dict(zip(tree.leaves, tree.loss[1], strict=True)) == {
        "a": pytest.approx(2 / 3), "b": pytest.approx(2 / 3), "c": 0,
    }  # fmt: skip
    path.write_text("a,v\nb,v\nc,w\n")  # the root is added
    assert read_hierarchy(path).paths == tree.paths


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6).map(lambda one: f"{one:.3f}"), min_size=1, max_size=30))
def test_made_intervals_hold_their_numbers_and_nest(texts: list[str]) -> None:
    tree = made_hierarchy(Column.of(texts), "intervals", name="x", where="a test")
    for path in tree.paths:
        inner: tuple[float, float] | None = None
        for label in path[1:-1]:
            low, high = (float(one) for one in label[1:-1].split(", "))
            slack = 1e-6 * (high - low)
            assert low - slack <= float(path[0]) <= high + slack
            assert inner is None or (low - slack <= inner[0] and inner[1] <= high + slack)
            inner = low, high


def test_made_hierarchies_of_other_kinds() -> None:
    days = made_hierarchy(Column.of(["2024-02-29", "2023-11-05"]), "auto", name="day", where="a test")
    assert ("2024-02-29", "2024-02", "2024-Q1", "2024", "2020s", "*") in days.paths
    codes = made_hierarchy(Column.of(["10011", "10025"]), "prefix", name="zip", where="a test")
    assert codes.paths[0] == ("10011", "1001*", "100**", "10***", "1****", "*")
    assert made_hierarchy(Column.of(["x", "7"]), "auto", name="x", where="a test").levels == 2
    for kind, text in (("intervals", "7a"), ("dates", "2024-13-01"), ("intervals", "inf")):
        with pytest.raises(HauberkError, match=rf"'{text}' in column 'x' \(row 2\) is no"):
            made_hierarchy(
                Column.of(["1" if kind == "intervals" else "2024-01-01", text]), kind, name="x", where="t"
            )
