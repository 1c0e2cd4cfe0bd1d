"""The measure against figures worked out by hand, an optimal transport by linear programming, and lies."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from hauberk.core.errors import IntegrityError
from hauberk.privacy.tables import Table
from hauberk.privacy.tables.hierarchies import read_hierarchy
from hauberk.privacy.tables.measure.diversity import achieved_l, achieved_t
from hauberk.privacy.tables.measure.groups import group
from hauberk.privacy.tables.measure.meaning import Meaning
from hauberk.privacy.tables.measure.report import Asked, measure, shortfalls
from hauberk.privacy.tables.measure.usefulness import usefulness
from hauberk.privacy.tables.models import TCloseness, rank

PATHS = [("a", "v", "*"), ("b", "v", "*"), ("c", "w", "*"), ("d", "w", "*")]
AGES = [("10", "[10, 20)", "*"), ("15", "[10, 20)", "*"), ("30", "[30, 40)", "*")]


def test_what_cells_mean_and_lose() -> None:
    letters = Meaning("letter", PATHS, frozenset("abc"))
    assert letters.values("v") == {"a", "b"}
    assert [letters.lost(cell) for cell in ("a", "v", "*", "{a, c}", "{a, b, c}")] == [
        0, 0.5, 1, pytest.approx(2 / 3), 1,
    ]  # fmt: skip
    ages = Meaning("age", AGES, frozenset({"10", "15", "30"}))
    assert ages.values("[10, 15]") == {"10", "15"}
    assert [ages.lost(cell) for cell in ("10", "[10, 20)", "[10, 15]", "*")] == [0, 0.5, 0.25, 1]
    with pytest.raises(IntegrityError, match="means nothing"):
        letters.values("e")


def test_risks_by_hand() -> None:
    """Groups of 1, 2 and 6 of 9 rows; each risk from its definition."""
    table = Table.of({"x": ["a"] + ["b"] * 2 + ["c"] * 6})
    asked = Asked(quasi=("x",), sensitive=(), k=1)
    risk = measure(table, table, np.arange(9), asked, {"x": PATHS})["after"]["risk"]
    assert risk["prosecutor"] == {
        "highest": 1, "average": pytest.approx(3 / 9), "high_share": pytest.approx(3 / 9),
        "unique_share": pytest.approx(1 / 9),
    }  # fmt: skip
    assert risk["marketer"]["average"] == pytest.approx(3 / 9)
    # among 10, 4 and 6 people of a population
    population = Table.of({"x": ["a"] * 10 + ["b"] * 4 + ["c"] * 6})
    after = measure(table, table, np.arange(9), asked, {"x": PATHS}, population)["after"]
    assert after["risk"]["journalist"]["highest"] == pytest.approx(1 / 4)
    assert after["risk"]["marketer"]["average"] == pytest.approx((1 / 10 + 2 / 4 + 6 / 6) / 9)
    assert after["presence"] == [pytest.approx(1 / 10), pytest.approx(1)]


def test_loss_by_hand() -> None:
    original = Table.of({"x": list("aabbcd")})
    published = Table.of({"x": ["v"] * 4})
    loss = measure(original, published, np.arange(4), Asked(quasi=("x",), sensitive=(), k=2), {"x": PATHS})[
        "loss"
    ]
    assert loss["gcp"] == pytest.approx((4 * 0.5 + 2) / 6)
    assert loss["discernibility"] == 4 * 4 + 2 * 6
    assert (loss["average_class"], loss["average_class_by_k"]) == (4, 2)


def test_a_lie_is_noticed() -> None:
    original = Table.of({"x": list("aabb"), "s": list("pqpq")})
    asked = Asked(quasi=("x",), sensitive=("s",), k=2)
    for published in (
        Table.of({"x": ["v", "v", "w", "w"], "s": list("pqpq")}),
        Table.of({"x": ["v"] * 4, "s": list("pqpp")}),
    ):
        with pytest.raises(IntegrityError, match="does not cover it"):
            measure(original, published, np.arange(4), asked, {"x": PATHS})


def test_shortfalls_name_what_is_missing() -> None:
    table = Table.of({"x": list("aabbbb"), "s": list("pppqqq")})
    asked = Asked(quasi=("x",), sensitive=("s",), k=3, l=2, t=0.1, presence=(0, 0.5))
    result = measure(table, table, np.arange(6), asked, {"x": PATHS}, table)
    said = " ".join(shortfalls(result, asked))
    for part in ("k is 2, not 3", "l (distinct) of 's' is 1", "t of 's' is 0.5", "presence goes from 1 to 1"):
        assert part in said


def test_entropy_by_hand() -> None:
    table = Table.of({"x": list("aaaa"), "s": list("ppqr")})
    entropy = 0.5 * math.log(2) + 0.5 * math.log(4)
    found = achieved_l(group(table, ["x"]), table["s"])
    assert found == {"distinct": 3, "entropy": pytest.approx(math.exp(entropy))}


def transport(first: list[float], second: list[float], ground: list[list[float]]) -> float:
    """The least work that turns one distribution into the other, as a linear programme."""
    size = len(first)
    equations = np.zeros((2 * size, size * size))
    for one in range(size):
        equations[one, one * size : (one + 1) * size] = 1
        equations[size + one, one::size] = 1
    found = linprog(np.ravel(ground), A_eq=equations, b_eq=[*first, *second], method="highs")
    assert found.status == 0
    return float(found.fun)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), st.lists(st.sampled_from("abcd"), max_size=8))
def test_distances_are_optimal_transports(
    tmp_path_factory: pytest.TempPathFactory, one: list[str], rest: list[str]
) -> None:
    """Anonymiser and measure each compute the distance in their own way; both are the transport's work."""
    rest = [*rest, "a", "b", "c", "d"]  # so that every value stands in the table
    table = Table.of({"x": ["1"] * len(one) + ["2"] * len(rest), "s": one + rest})
    file = tmp_path_factory.getbasetemp() / "letters.csv"
    file.write_text("".join(";".join(path) + "\n" for path in PATHS))
    tree = read_hierarchy(file)
    values = [path[0] for path in PATHS]
    everything = [*one, *rest]
    whole = [everything.count(value) / len(everything) for value in values]
    grounds = {
        "equal": [[float(a != b) for b in values] for a in values],
        "ordered": [[abs(a - b) / 3 for b in range(4)] for a in range(4)],
        "hierarchical": [
            [0.0 if a == b else 0.5 if a // 2 == b // 2 else 1.0 for b in range(4)] for a in range(4)
        ],
    }
    for kind, ground in grounds.items():
        truth = [transport([part.count(v) / len(part) for v in values], whole, ground) for part in (one, rest)]
        assert achieved_t(group(table, ["x"]), table["s"], kind, PATHS) == pytest.approx(max(truth), abs=1e-9)
        names = tree.leaves if kind == "hierarchical" else tuple(values)
        counts = np.array([[part.count(value) for value in names] for part in (one, rest)], float)
        shares = counts.sum(0) / counts.sum()
        model = TCloseness(
            1.0, shares, rank(names) if kind == "ordered" else None, tree if kind == "hierarchical" else None
        )
        assert model.distances(counts) == pytest.approx(truth, abs=1e-9)


def test_a_model_learns_less_from_nothing() -> None:
    random = np.random.default_rng(0)
    letters = random.choice(list("abcd"), 2000)
    table = Table.of({"x": letters, "s": np.where(np.isin(letters, ["a", "c"]), "yes", "no")})
    kept = np.arange(2000)
    meanings = {"x": Meaning("x", PATHS, frozenset("abcd"))}
    same = usefulness(table, table, kept, meanings, "s")
    assert same["accuracy_before"] == same["accuracy_after"] == 1
    blank = Table.of({"x": ["*"] * 2000, "s": table["s"].texts()})
    told = usefulness(table, blank, kept, meanings, "s")
    assert told["accuracy_before"] == 1
    assert told["accuracy_after"] == pytest.approx(told["majority"], abs=1e-9)


def test_all_of_it_starts_without_torch(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("age,s\n" + "1,x\n2,y\n3,x\n4,y\n")
    code = (
        "import sys\nfrom hauberk.cli.app import run\n"
        "plan = ['--quasi', 'age', '--sensitive', 's', '--l', '2']\n"
        "code = run(['data', 'anonymize', 'a.csv', '--out', 'b.csv', *plan])\n"
        "code += run(['data', 'aggregate', 'a.csv', '--out', 'c.csv', '--by', 's', '--min-count', '2'])\n"
        "assert 'torch' not in sys.modules\nsys.exit(code)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert said.returncode == 0, said.stderr
