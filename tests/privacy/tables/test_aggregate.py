"""Suppression against an attacker of the test's own, and rules whose answer is known by hand."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from hauberk.core.errors import ConfigError, DataError, PolicyViolation
from hauberk.privacy.tables import Table
from hauberk.privacy.tables.aggregate import AggregatePlan, aggregate
from hauberk.privacy.tables.aggregate.cube import build
from hauberk.privacy.tables.aggregate.suppression import Rules, sensitive_cells
from hauberk.privacy.tables.table import Column


def attack(published: Table, by: tuple[str, ...], what: str = "count") -> list[tuple[float, float]]:
    """What each empty cell must lie between: every equation that the published table gives, and nothing
    else."""
    cells = {
        tuple(row[:-1]): row[-1] for row in zip(*(published[name].texts() for name in (*by, what)), strict=True)
    }
    unknown = [cell for cell, text in cells.items() if text == ""]
    values = [sorted({cell[axis] for cell in cells} - {"*"}) for axis in range(len(by))]
    matrix, right = [], []
    for axis in range(len(by)):
        others = [[*one, "*"] if number != axis else ["*"] for number, one in enumerate(values)]
        for total in itertools.product(*others):
            parts = [(*total[:axis], one, *total[axis + 1 :]) for one in values[axis]]
            row, known = [0.0] * len(unknown), 0.0
            for sign, cell in [*((1, part) for part in parts), (-1, total)]:
                if cells[cell] == "":
                    row[unknown.index(cell)] += sign
                else:
                    known += sign * float(cells[cell])
            matrix.append(row)
            right.append(-known)
    found = []
    for at in range(len(unknown)):
        goal = np.eye(len(unknown))[at]
        low = linprog(goal, A_eq=matrix, b_eq=right, bounds=(0, None))
        high = linprog(-goal, A_eq=matrix, b_eq=right, bounds=(0, None))
        assert low.status == 0
        found.append((low.fun, -high.fun if high.status == 0 else np.inf))
    return found


ROWS = st.lists(st.tuples(*(st.sampled_from(one) for one in ("abc", "wxyz", "pq"))), min_size=20, max_size=120)


@settings(max_examples=25, deadline=None)
@given(ROWS, st.integers(2, 3), st.integers(2, 6))
def test_no_suppressed_cell_can_be_worked_out(rows: list[tuple[str, ...]], axes: int, least: int) -> None:
    by = ("one", "two", "three")[:axes]
    table = Table.of(dict(zip(by, list(zip(*rows, strict=True))[:axes], strict=True)))
    try:
        made = aggregate(table, AggregatePlan(by=by, rules=Rules(min_count=least)))
    except PolicyViolation:
        return  # so few rows that even the grand total is small
    truth: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        for total in itertools.product((False, True), repeat=axes):
            truth[tuple("*" if whole else cell for whole, cell in zip(total, row[:axes], strict=True))] += 1
    cells = list(zip(*(made.table[name].texts() for name in (*by, "count")), strict=True))
    assert {cell[:-1] for cell in cells} >= truth.keys()
    for *cell, text in cells:
        count = truth[tuple(cell)]
        assert text in ("", str(count))
        assert text == "" or count == 0 or count >= least  # no small group is published
    for low, high in attack(made.table, by):
        assert high - low >= least - 1e-6


def test_one_small_cell_takes_three_others_with_it() -> None:
    """In a table of two columns a hidden cell needs a rectangle; here the smallest is known."""
    counts = {("a", "x"): 2, ("a", "y"): 20, ("b", "x"): 30, ("b", "y"): 9, ("c", "x"): 40, ("c", "y"): 50}
    rows = [cell for cell, count in counts.items() for _ in range(count)]
    table = Table.of({"one": [one for one, _ in rows], "two": [two for _, two in rows]})
    made = aggregate(table, AggregatePlan(by=("one", "two")))
    texts = list(zip(*(made.table[name].texts() for name in made.table.names), strict=True))
    hidden = {cell[:2] for cell in texts if cell[2] == ""}
    assert hidden == {("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")}
    # row a holds 22 between two cells, column x leaves 32, row b 39
    assert attack(made.table, ("one", "two")) == [(0, 22), (0, 22), (10, 32), (7, 29)]
    assert made.sensitive == 1


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    table = Table.of({"one": list("aaaaabbbbb")})
    made = aggregate(table, AggregatePlan(by=("one",)))
    assert made.table["count"].texts() == ["5", "5", "10"]
    assert made.narrowest is None


def test_dominance_and_p_percent_by_hand() -> None:
    column = Column.of(["a"] * 5 + ["b"] * 5)
    # a: one of 80 in 100; b: five of 20
    cube = build([column], np.array([80.0, 5, 5, 5, 5, 20, 20, 20, 20, 20]))
    assert cube.largest is not None
    assert cube.largest[0].tolist() == [80, 5]
    assert sensitive_cells(cube, Rules(dominance=(1, 0.75))).tolist() == [True, False, False]
    assert sensitive_cells(cube, Rules(dominance=(1, 0.85))).tolist() == [False, False, False]
    # the second largest knows 100 - 5 = 95 as an upper limit of 80: within 18.75 %
    assert sensitive_cells(cube, Rules(p_percent=0.19)).tolist() == [True, False, False]
    assert sensitive_cells(cube, Rules(p_percent=0.18)).tolist() == [False, False, False]


def test_hidden_sums_stay_unsure() -> None:
    random = np.random.default_rng(1)
    by = ("one", "two")
    table = Table.of(
        {
            "one": random.choice(list("abcd"), 200),
            "two": random.choice(list("xyz"), 200, p=[0.7, 0.27, 0.03]),
            "paid": random.integers(1, 100, 200),
        }
    )
    made = aggregate(table, AggregatePlan(by=by, sum="paid", rules=Rules(p_percent=0.1), sum_width=0.3))
    hidden = made.suppressed
    assert hidden.any()
    assert made.cube.sums is not None
    sums = made.cube.sums[hidden]
    for (low, high), truth in zip(attack(made.table, by, "sum"), sums.tolist(), strict=True):
        assert low - 1e-6 <= truth <= high + 1e-6
        assert high - low >= 0.3 * truth - 1e-6


def test_sums_below_zero(tmp_path: Path) -> None:
    table = Table.of({"one": list("aaaaabbbbbc"), "gain": [1, 2, 3, 4, 5, -1, -2, -3, -4, -5, -6]})
    made = aggregate(table, AggregatePlan(by=("one",), sum="gain"))
    assert made.table["sum"].texts().count("") >= 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"by": ()}, "at least one column"),
        ({"by": ("one", "one")}, "given twice"),
        ({"rules": {"min_count": 1}}, "min_count must be"),
        ({"rules": {"min_count": -5}}, "min_count must be"),
        ({"rules": {"dominance": (1, 1.5)}, "sum": "x"}, "dominance's share must lie"),
        ({"rules": {"p_percent": 0.1}}, "dominance is about a sum"),
        ({"width": 0}, "width must lie"),
        ({"sum_width": -1}, "sum_width must lie"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        AggregatePlan(**{"by": ("one",), **wrong, "rules": Rules(**wrong.get("rules", {}))})


def test_bad_input() -> None:
    with pytest.raises(DataError, match="column 'one' is empty in row 2"):
        aggregate(Table.of({"one": ["a", ""]}), AggregatePlan(by=("one",)))
    with pytest.raises(DataError, match="'much', which is no number, in row 2"):
        aggregate(Table.of({"one": ["a", "b"], "x": ["1", "much"]}), AggregatePlan(by=("one",), sum="x"))
    with pytest.raises(ConfigError, match="a table of"):
        aggregate(Table.of({"one": range(1000), "two": range(1000)}), AggregatePlan(by=("one", "two")))
    with pytest.raises(PolicyViolation, match="nothing could be published"):
        aggregate(Table.of({"one": list("aaaaaabbbbbbbcc")}), AggregatePlan(by=("one",), width=1e8))


def test_the_published_file_is_plain_csv(tmp_path: Path) -> None:
    from hauberk.privacy.tables.aggregate import run

    source, out = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_text("ward\n" + "north\n" * 7 + "south\n" * 2 + "east\n" * 9)
    made, record = run(source, out, AggregatePlan(by=("ward",)))
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"ward": "east", "count": "9"}, {"ward": "north", "count": ""}, {"ward": "south", "count": ""},
        {"ward": "*", "count": "18"},
    ]  # fmt: skip
    assert record.kind == "aggregation"
    assert record.result["narrowest"] >= 5
    assert {**record.result, "narrowest": 0} == {"cells": 4, "suppressed": 2, "too_telling": 1, "narrowest": 0}
    assert made.cube.counts.tolist() == [9, 7, 2, 18]
