"""Questions: what is understood gives what SQLite gives; everything else is refused in one line."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hauberk.core.errors import ConfigError, DataError, UnknownName
from hauberk.privacy.queries import Column, Description, read_toml
from hauberk.privacy.queries.measuring import plan, steps, totals
from hauberk.privacy.queries.sql import parse
from hauberk.privacy.queries.table import Table, first_rows, table_of, treat

WHERES = [
    "",
    "WHERE age >= 30",
    "WHERE age BETWEEN 20 AND 60 AND region = 'north'",
    "WHERE region IN ('north', 'west') OR age < 5",
    "WHERE NOT (region = 'south') AND income > -1",
    "WHERE region <> 'south' AND job = 'cook'",
    "WHERE (age = 50 OR age = 51) AND NOT age <> 50",
    "WHERE income <= 50000.5 AND age > -3",
]


@pytest.mark.parametrize("where", WHERES)
def test_counts_and_sums_are_those_of_sqlite(where: str, people: Path, described: Description) -> None:
    """Without the noise: another engine, the same SQL."""
    table = table_of(people, people.read_bytes(), described)
    rows = [line.split(",") for line in people.read_text().splitlines()[1:]]
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE data (who TEXT, age REAL, region TEXT, income REAL, job TEXT)")
    database.executemany("INSERT INTO data VALUES (?, ?, ?, ?, ?)", rows)
    text = f"SELECT region, COUNT(*), SUM(income) FROM data {where} GROUP BY region"
    truth = {region: (count, total) for region, count, total in database.execute(text)}
    database.close()
    question = parse(text, described)
    column = described.columns["income"]
    counts = totals(table, question, described, 4, None)
    sums = totals(table, question, described, 4, lambda one: steps(one, column))
    for place, region in enumerate(described.columns["region"].values):
        count, total = truth.get(region, (0, 0.0))
        assert counts[place] == count
        assert sums[place] * column.step == pytest.approx(total, abs=count * column.step)


def test_bins_are_of_equal_width_and_hold_their_upper_end(described: Description) -> None:
    question = parse("SELECT BIN(age, 11), COUNT(*) FROM data GROUP BY BIN(age, 11)", described)
    found = plan(question, described, "pure", 1.0)
    assert [cell[0] for cell in found.cells[:2]] == ["[0, 10)", "[10, 20)"]
    assert found.cells[-1] == ("[100, 110]",)
    ages = np.array([0.0, 9.99, 10.0, 110.0])
    table = Table({"age": ages}, 4, 0, {})
    assert totals(table, question, described, 11, None) == [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_the_same_question_has_one_text(described: Description) -> None:
    forms = [
        "SELECT AVG(age) FROM data",
        "select   avg( age )\nfrom data -- please",
        "/* x */ SELECT avg(age) FROM data;",
    ]
    assert len({parse(one, described).text for one in forms}) == 1


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("", "one SELECT"),
        ("SELECT", "no figure|not SQL|FROM data"),
        ("SELECT ( FROM data", "not SQL"),
        ("DROP TABLE data", "one SELECT"),
        ("SELECT COUNT(*) FROM data; SELECT COUNT(*) FROM data", "one SELECT"),
        ("SELECT * FROM data", "not among"),
        ("SELECT age FROM data", "no row is ever shown"),
        ("SELECT region, AVG(age) FROM data", "no row is ever shown"),
        ("SELECT agee FROM data", "did you mean 'age'"),
        ("SELECT COUNT(*) FROM data WHERE agee > 1", "did you mean 'age'"),
        ("SELECT COUNT(*) FROM people", "FROM data"),
        ("SELECT COUNT(*) FROM data, data AS other", "JOIN"),
        ("SELECT COUNT(*) FROM data JOIN data AS b ON TRUE", "JOIN"),
        ("SELECT COUNT(*) FROM data AS d", "FROM data"),
        ("SELECT COUNT(*) FROM (SELECT * FROM data)", "FROM data"),
        ("SELECT COUNT(*) FROM data LIMIT 1", "LIMIT"),
        ("SELECT COUNT(*) FROM data ORDER BY 1", "ORDER"),
        ("SELECT DISTINCT COUNT(*) FROM data", "DISTINCT"),
        ("SELECT COUNT(DISTINCT age) FROM data", "COUNT"),
        ("SELECT COUNT(age) FROM data", "COUNT"),
        ("SELECT COUNT(*) FROM data HAVING COUNT(*) > 3", "HAVING"),
        ("WITH x AS (SELECT 1) SELECT COUNT(*) FROM data", "WITH"),
        ("SELECT MAX(age) FROM data", "not among"),
        ("SELECT SUM(age * 2) FROM data", "not among"),
        ("SELECT SUM(region) FROM data", "no number"),
        ("SELECT SUM(age) + 1 FROM data", "not among"),
        ("SELECT QUANTILE(age, 0) FROM data", "between 0 and 1"),
        ("SELECT QUANTILE(age, 1.5) FROM data", "between 0 and 1"),
        ("SELECT COUNT(*) FROM data GROUP BY age", "BIN"),
        ("SELECT COUNT(*) FROM data GROUP BY BIN(age, 0)", "number of bins"),
        ("SELECT COUNT(*) FROM data GROUP BY BIN(age, 2.5)", "number of bins"),
        ("SELECT COUNT(*) FROM data GROUP BY BIN(region, 2)", "no number"),
        ("SELECT COUNT(*) FROM data GROUP BY ROLLUP (region)", "GROUP BY"),
        ("SELECT COUNT(*), COUNT(*) FROM data", "same name"),
        ("SELECT COUNT(*) FROM data WHERE age", "WHERE"),
        ("SELECT COUNT(*) FROM data WHERE age > income", "not among"),
        ("SELECT COUNT(*) FROM data WHERE age > '3'", "is a number"),
        ("SELECT COUNT(*) FROM data WHERE region > 'a'", "is text"),
        ("SELECT COUNT(*) FROM data WHERE region = 'nroth'", "not a declared value"),
        ("SELECT COUNT(*) FROM data WHERE age IN (SELECT 1)", "WHERE"),
        ("SELECT COUNT(*) FROM data WHERE region LIKE 'n%'", "WHERE"),
        ("SELECT COUNT(*) FROM data WHERE RANDOM() > 0.5", "not among"),
        ("SELECT COUNT(*) FROM data WHERE " + "(" * 3000 + "age > 1" + ")" * 3000, "too deeply|not SQL"),
        ("SELECT COUNT(*) FROM data WHERE age > 1" + " AND age > 1" * 2000, "longer"),
        ("SELECT " + ", ".join(f"SUM(age) AS s{n}" for n in range(17)) + " FROM data", "at most 16"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(question: str, message: str, described: Description) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        parse(question, described)
    assert "\n" not in str(refused.value)


def test_questions_that_cannot_be_answered_are_refused(described: Description) -> None:
    cases: list[tuple[str, float, float, str]] = [
        ("SELECT region, MEDIAN(age) FROM data GROUP BY region", 1.0, 0.0, "not answered for groups"),
        ("SELECT job, COUNT(*) FROM data GROUP BY job", 1.0, 0.0, "costs delta"),
        ("SELECT job, region, COUNT(*) FROM data GROUP BY job, region", 1.0, 1e-7, "grouped alone"),
        ("SELECT job, SUM(age) FROM data GROUP BY job", 1.0, 1e-7, "grouped alone"),
        ("SELECT COUNT(*) FROM data", 1.0, 1e-7, "delta is for groups"),
        (
            "SELECT COUNT(*) FROM data GROUP BY BIN(age, 1000), BIN(income, 1000)", 1.0, 0.0, "cells",
        ),
    ]  # fmt: skip
    for text, epsilon, delta, message in cases:
        with pytest.raises(ConfigError, match=message):
            plan(parse(text, described), described, "pure", epsilon, delta)


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), (" 3.5 ", 3.5), ("", 55), ("NaN", 55), ("none", 55), ("inf", 110), ("-inf", 0), ("1e400", 110),
     ("-7", 0), ("111", 110), ("110", 110), ("1_0", 10)],
)  # fmt: skip
def test_every_number_ends_within_its_bounds(text: str, value: float) -> None:
    found, _how = treat(Column("age", "number", 0, 110), [text])
    assert found.tolist() == [value]


def test_treatment_is_counted() -> None:
    _values, how = treat(Column("age", "number", 0, 110, missing=40), ["", "nan", "200", "-1", "5"])
    assert (how.missing, how.moved) == (2, 2)
    codes, how = treat(Column("sex", "category", values=("f", "m")), ["f", "", "x", " m "])
    assert (codes.tolist(), how.missing, how.moved) == ([0, -1, -1, 1], 1, 1)
    codes, how = treat(Column("sex", "category", values=("f", "m"), missing="m"), ["f", "", "x"])
    assert codes.tolist() == [0, 1, 1]


def test_each_person_keeps_the_first_rows() -> None:
    people = ["a", "b", "a", "a", "", "b", "", ""]
    assert first_rows(people, 2).tolist() == [True, True, True, False, True, True, True, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "column 'age'"),
        (b"age,region,income,job\n", "no rows"),
        (b"age,age,region,income,job\n1,2,n,3,x\n", "stands twice"),
        (b"age,region,income\n1,n,3\n", "column 'job'"),
        (b"age,region,income,job\n1,n,3\n", "line 2: 3 fields instead of 4"),
        (b"age,region,income,job\n1,n,3,\xff\n", "line 2: not valid UTF-8, and no GB18030"),
        (b'age,region,income,job\n1,n,3,"x\n', "not readable as CSV"),
        (b"age,region,income,job\n1,n,3," + b"x" * 200_000 + b"\n", "not readable as CSV"),
    ],
)
def test_broken_data_are_refused(content: bytes, message: str, described: Description) -> None:
    with pytest.raises((DataError, UnknownName), match=message):
        table_of("data.csv", content, described)


def test_a_byte_order_mark_and_chinese_are_read(described: Description) -> None:
    for encoding in ("utf-8-sig", "gb18030"):
        content = "age,region,income,job\n3,north,5,护士\n".encode(encoding)
        table = table_of("data.csv", content, described)
        assert (table.rows, table.columns["job"].tolist()) == (1, ["护士"])


def test_parquet_reads_as_csv_does(people: Path, described: Description) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import csv, parquet

    parquet.write_table(csv.read_csv(people), people.with_suffix(".parquet"))
    other = people.with_suffix(".parquet")
    one, two = (table_of(path, path.read_bytes(), described) for path in (people, other))
    assert all(np.array_equal(one.columns[name], two.columns[name]) for name in described.columns)
    with pytest.raises(DataError, match="not a readable Parquet"):
        table_of(other, other.read_bytes()[:-50], described)
    del pa


@pytest.mark.parametrize(
    "column",
    [
        lambda: Column("x", "number", 1, 1),
        lambda: Column("x", "number", 2, 1),
        lambda: Column("x", "number", float("nan"), 1),
        lambda: Column("x", "number", 0, float("inf")),
        lambda: Column("x", "number", 0, 1, missing=2),
        lambda: Column("x", "number", 0, 1, missing="a"),
        lambda: Column("x", "category"),
        lambda: Column("x", "category", values=("a", "a")),
        lambda: Column("x", "category", values=("a",), missing="b"),
        lambda: Column("x", "nmber", 0, 1),  # type: ignore[arg-type]
        lambda: Description({}),
        lambda: Description({"x": Column("x", "open")}, "x"),
        lambda: Description({"x": Column("x", "open")}, "who", 0),
        lambda: Description({"x": Column("x", "open")}, "row", 2),
    ],
)
def test_declarations_that_cannot_be_are_refused(column: Any) -> None:
    with pytest.raises(ConfigError):
        column()


def test_a_description_in_toml(tmp_path: Path) -> None:
    path = tmp_path / "people.toml"
    path.write_text(
        'budget = 2.0\nunit = "who"\nmost_rows = 3\n[columns.age]\nbounds = [0, 110]\nmissing = 40\n'
        '[columns.region]\nvalues = ["north", "south"]\n[columns.job]\ntype = "open"\n'
    )
    settings, found = read_toml(path)
    assert settings == {"budget": 2.0}
    assert found.columns["age"] == Column("age", "number", 0, 110, missing=40)
    assert Description.from_json(found.to_json()) == found
    for text, message in [
        ("budjet = 2", "did you mean 'budget'"), ("columns = 3", "are tables"), ("a = [", "not TOML"),
        ("[columns.age]\nbouns = [0, 1]", "did you mean 'bounds'"),
        ("[columns.age]\nbounds = 3", "two numbers"),
        ("[columns.age]\nmissing = 3", "needs bounds"), ("[columns.sex]\nvalues = [1, 2]", "texts"),
    ]:  # fmt: skip
        path.write_text(text)
        with pytest.raises((ConfigError, DataError), match=message):
            read_toml(path)
