"""The anonymiser against brute force, against pycanon, and against tables whose answer is known by hand."""

from __future__ import annotations

import itertools
import math
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.core.errors import ConfigError, DataError, PolicyViolation, UnknownName
from hauberk.privacy.tables import Plan, Table, anonymize, hierarchies_of
from hauberk.privacy.tables.anonymize import Anonymised
from hauberk.privacy.tables.lattice import nodes_of
from hauberk.privacy.tables.measure.report import Asked, measure, shortfalls

COLOURS = {"red": "warm", "orange": "warm", "blue": "cold", "green": "cold"}
TREE = "".join(f"{leaf};{node};*\n" for leaf, node in COLOURS.items())


@pytest.fixture
def tree(tmp_path: Path) -> str:
    path = tmp_path / "colour.csv"
    path.write_text(TREE)
    return str(path)


def classes_of(table: Table, quasi: Sequence[str]) -> list[list[int]]:
    """Rows that agree, by comparing texts; nothing of the code under test."""
    found: dict[tuple[str, ...], list[int]] = {}
    for row, cells in enumerate(zip(*(table[name].texts() for name in quasi), strict=True)):
        found.setdefault(cells, []).append(row)
    return list(found.values())


def done(table: Table, plan: Plan, population: Table | None = None) -> tuple[Anonymised, dict[str, Any]]:
    trees = hierarchies_of(table, plan, population)
    made = anonymize(table, plan, trees, population=population)
    asked = Asked(
        quasi=plan.quasi, sensitive=plan.sensitive, k=plan.k, l=plan.l, l_kind=plan.l_kind, t=plan.t,
        t_distance=plan.t_distance, presence=plan.presence, max_suppressed=plan.max_suppressed,
    )  # fmt: skip
    result = measure(
        table, made.table, made.kept, asked, {name: one.paths for name, one in trees.items()}, population
    )
    assert shortfalls(result, asked) == []
    return made, result


def test_a_table_known_by_hand(tree: str) -> None:
    table = Table.of({"colour": ["red", "red", "orange", "blue", "green", "green"], "size": [1, 1, 1, 2, 2, 2]})
    plan = Plan(quasi=("colour", "size"), hierarchies={"colour": tree, "size": "flat"}, k=3, max_suppressed=0)
    made, result = done(table, plan)
    assert made.table["colour"].texts() == ["warm"] * 3 + ["cold"] * 3
    assert made.table["size"].texts() == ["1"] * 3 + ["2"] * 3
    # two of four leaves in every cell of one of two columns
    assert result["loss"]["gcp"] == pytest.approx(0.25)
    assert result["loss"]["discernibility"] == 18


def test_rows_are_coarsened_only_where_they_need_it(tree: str) -> None:
    table = Table.of({"colour": ["red"] * 5 + ["blue", "green"]})
    made, _ = done(table, Plan(quasi=("colour",), hierarchies={"colour": tree}, k=2))
    assert made.table["colour"].texts() == ["red"] * 5 + ["cold", "cold"]


def test_sets_hold_exactly_what_is_there(tree: str) -> None:
    table = Table.of({"colour": ["red", "orange", "blue", "green"], "age": [20, 24, 61, 61]})
    plan = Plan(quasi=("colour", "age"), hierarchies={"colour": tree}, k=2, output="sets", max_suppressed=0)
    made, result = done(table, plan)
    assert made.table["colour"].texts() == ["{orange, red}", "{orange, red}", "{blue, green}", "{blue, green}"]
    assert made.table["age"].texts() == ["[20, 24]", "[20, 24]", "61", "61"]
    assert result["loss"]["by_column"] == {"colour": pytest.approx(0.5), "age": pytest.approx(4 / 41 / 2)}


def best_gcp(rows: Sequence[tuple[str, str]], k: int) -> float:
    """The least loss over every partition of a small table into classes of at least ``k``: tried one by one."""

    def cost(group: Sequence[int]) -> float:
        colours = {rows[one][0] for one in group}
        first = 0.0 if len(colours) == 1 else 0.5 if len({COLOURS[one] for one in colours}) == 1 else 1.0
        return len(group) * (first + (len({rows[one][1] for one in group}) > 1)) / 2

    def partitions(left: tuple[int, ...]) -> Any:
        if not left:
            yield []
        for size in range(k, len(left) + 1):
            for others in itertools.combinations(left[1:], size - 1):
                group = (left[0], *others)
                for rest in partitions(tuple(one for one in left if one not in group)):
                    yield [group, *rest]

    return min(sum(map(cost, one)) for one in partitions(tuple(range(len(rows))))) / len(rows)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(COLOURS)), st.sampled_from("xy")), min_size=4, max_size=8))
def test_never_better_than_the_best_and_never_invalid(
    tmp_path_factory: pytest.TempPathFactory, rows: Any
) -> None:
    tree = tmp_path_factory.getbasetemp() / "colour.csv"
    tree.write_text(TREE)
    table = Table.of({"colour": [one for one, _ in rows], "mark": ["x", *(one for _, one in rows[1:])]})
    rows = list(zip(table["colour"].texts(), table["mark"].texts(), strict=True))
    if len({mark for _, mark in rows}) < 2 or len({colour for colour, _ in rows}) < 2:
        return  # a column of one value loses nothing, which the closed form above does not know
    plan = Plan(quasi=("colour", "mark"), hierarchies={"colour": str(tree)}, k=2, max_suppressed=0)
    made, result = done(table, plan)
    assert min(map(len, classes_of(made.table, plan.quasi))) >= 2
    assert best_gcp(rows, 2) - 1e-9 <= result["loss"]["gcp"] <= 1


def t_by_hand(table: Table, groups: Sequence[Sequence[int]], column: str) -> float:
    texts = table[column].texts()
    whole = Counter(texts)
    worst = 0.0
    for group in groups:
        own = Counter(texts[row] for row in group)
        gap = sum(abs(own[one] / len(group) - whole[one] / len(texts)) for one in whole)
        worst = max(worst, gap / 2)
    return worst


TABLES = st.lists(
    st.tuples(st.integers(18, 40), st.sampled_from("abc"), st.sampled_from(["flu", "cold", "none"])),
    min_size=12, max_size=60,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(TABLES, st.integers(2, 5), st.sampled_from([None, 2]), st.sampled_from([None, 0.3]), st.booleans())
def test_k_l_and_t_hold_by_brute_force(
    rows: Any, k: int, least: int | None, t: float | None, sets: bool
) -> None:
    names = ("age", "place", "illness")
    table = Table.of(dict(zip(names, zip(*rows, strict=True), strict=True)))
    plan = Plan(
        quasi=("age", "place"), sensitive=("illness",), k=k, l=least, t=t, max_suppressed=0.2,
        output="sets" if sets else "hierarchy",
    )  # fmt: skip
    try:
        made, result = done(table, plan)
    except PolicyViolation:
        assert least is not None  # the whole table satisfies k and t, but may hold one illness only
        assert len(set(table["illness"].texts())) < least
        return
    groups = classes_of(made.table, plan.quasi)
    illness = made.table["illness"].texts()
    assert len(made.table) >= 0.8 * len(table)
    assert result["after"]["k"] == min(map(len, groups)) >= k
    kinds = [Counter(illness[row] for row in group) for group in groups]
    assert result["after"]["l"]["illness"]["distinct"] == min(map(len, kinds)) >= (least or 1)
    entropies = [-sum(n / sum(c.values()) * math.log(n / sum(c.values())) for n in c.values()) for c in kinds]
    assert result["after"]["l"]["illness"]["entropy"] == pytest.approx(math.exp(min(entropies)))
    distance = t_by_hand(made.table, groups, "illness")
    assert result["after"]["t"]["illness"] == pytest.approx(distance)
    assert t is None or distance <= t + 1e-6
    # every row that is published says the truth about what it was
    for published, original in enumerate(made.kept.tolist()):
        assert made.table["illness"].texts()[published] == table["illness"].texts()[original]


def people(count: int, seed: int) -> Table:
    random = np.random.default_rng(seed)
    return Table.of(
        {
            "age": random.integers(18, 80, count),
            "place": random.choice(list("abcdefg"), count),
            "sex": random.choice(["f", "m"], count),
            "illness": random.choice(["flu", "cold", "none", "gout"], count, p=[0.3, 0.3, 0.3, 0.1]),
            "income": random.integers(1, 6, count) * 1000,
        }
    )


@pytest.mark.parametrize("output", ["hierarchy", "sets"])
def test_pycanon_agrees(output: str, absent: Callable[[str, str], None]) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pandas
            from pycanon import anonymity
    except ImportError:
        return absent("pycanon", "pip install pycanon pandas")
    table = people(600, 3)
    quasi = ("age", "place", "sex")
    for column, distance in (("illness", "equal"), ("income", "ordered")):
        plan = Plan(
            quasi=quasi, sensitive=(column,), k=5, l=2, t=0.35, t_distance=distance, output=output
        )  # fmt: skip
        made, result = done(table, plan)
        frame = pandas.DataFrame({name: made.table[name].texts() for name in made.table.names})
        frame["income"] = frame["income"].astype(int) if "income" in frame else 0
        after = result["after"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert anonymity.k_anonymity(frame, list(quasi)) == after["k"]
            assert anonymity.l_diversity(frame, list(quasi), [column]) == after["l"][column]["distinct"]
            # pycanon gives whole numbers
            assert anonymity.entropy_l_diversity(frame, list(quasi), [column]) == int(
                after["l"][column]["entropy"]
            )
            assert anonymity.t_closeness(frame, list(quasi), [column]) == pytest.approx(after["t"][column])
    return None


def test_entropy_and_hierarchical_closeness_are_met(tmp_path: Path) -> None:
    tree = tmp_path / "illness.csv"
    tree.write_text("flu;lungs;*\ncold;lungs;*\nnone;other;*\ngout;other;*\n")
    table = people(400, 5)
    plan = Plan(
        quasi=("age", "place"), sensitive=("illness",), k=4, l=2.5, l_kind="entropy", max_suppressed=0.1
    )
    _, result = done(table, plan)
    assert result["after"]["l"]["illness"]["entropy"] >= 2.5 - 1e-6
    plan = Plan(
        quasi=("age", "place"), sensitive=("illness",), hierarchies={"illness": str(tree)}, k=4, t=0.2,
        t_distance="hierarchical", max_suppressed=0.1,
    )  # fmt: skip
    _, result = done(table, plan)
    assert result["after"]["t"]["illness"] <= 0.2 + 1e-6


@pytest.mark.parametrize("presence", [(0.0, 0.4), (0.1, 0.6)])
def test_presence_stays_within_its_limits(presence: tuple[float, float]) -> None:
    population = people(400, 7)
    table = population.take(np.arange(0, 400, 4))
    plan = Plan(quasi=("age", "sex"), k=2, presence=presence, max_suppressed=0.3)
    made, result = done(table, plan, population)
    low, high = result["after"]["presence"]
    assert presence[0] - 1e-9 <= low <= high <= presence[1] + 1e-9
    # by hand: everybody's chance is the sum over the classes that he fits
    groups = classes_of(made.table, plan.quasi)
    cells = [tuple(made.table[name].texts()[group[0]] for name in plan.quasi) for group in groups]
    trees = hierarchies_of(table, plan, population)
    under = {
        (name, label): {path[0] for path in trees[name].paths if label in path}
        for name in plan.quasi for label in {label for path in trees[name].paths for label in path}
    }  # fmt: skip
    everybody = list(zip(*(population[name].texts() for name in plan.quasi), strict=True))

    def fits(person: tuple[str, ...], cell: tuple[str, ...]) -> bool:
        return all(one in under[name, label] for one, name, label in zip(person, plan.quasi, cell, strict=True))

    covered = [sum(fits(person, cell) for person in everybody) for cell in cells]
    chances = [
        sum(len(g) / n for g, n, cell in zip(groups, covered, cells, strict=True) if fits(person, cell))
        for person in everybody
    ]
    assert (min(chances), max(chances)) == (pytest.approx(low), pytest.approx(high))


def test_presence_that_cannot_be_hidden() -> None:
    population = people(40, 9)
    with pytest.raises(PolicyViolation):
        done(population, Plan(quasi=("age",), k=2, presence=(0.0, 0.5)), population)
    stranger = Table.of({"age": ["99", "99", "99"]})
    with pytest.raises(DataError, match="the population lacks people"):
        done(stranger, Plan(quasi=("age",), k=2, presence=(0.0, 0.9)), population)


def test_large_lattices_and_many_combinations_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    table = people(3000, 11)
    plan = Plan(quasi=("age", "place", "sex", "income"), k=5)
    _, whole = done(table, plan)
    module = sys.modules["hauberk.privacy.tables.anonymize"]  # the package's function has its name
    monkeypatch.setattr(module, "nodes_of", lambda trees: nodes_of(trees, most=60))
    monkeypatch.setattr("hauberk.privacy.tables.cover._CHUNK", (256, 256))
    _, cut = done(table, plan)
    assert cut["loss"]["gcp"] <= whole["loss"]["gcp"] * 3


def test_the_same_table_gives_the_same_release() -> None:
    plan = Plan(quasi=("age", "place", "sex"), k=4)
    first, second = (done(people(500, 13), plan)[0] for _ in range(2))
    assert all(first.table[name].texts() == second.table[name].texts() for name in first.table.names)


def test_empty_cells() -> None:
    table = Table.of({"age": [1, 1, "", 2, 2, 2], "x": list("aabbbb")})
    with pytest.raises(DataError, match="column 'age' is empty in row 3"):
        done(table, Plan(quasi=("age",), k=2))
    with pytest.raises(PolicyViolation, match="1 of 6 rows have empty cells"):
        done(table, Plan(quasi=("age",), k=2, missing="suppress"))
    made, result = done(table, Plan(quasi=("age",), k=2, missing="suppress", max_suppressed=0.2))
    assert (made.missing, len(made.table), result["suppressed_share"]) == (1, 5, pytest.approx(1 / 6))
    assert result["loss"]["gcp"] == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"k": 0}, "k must be a whole number"),
        ({"k": -3}, "k must be a whole number"),
        ({"k": True}, "k must be a whole number"),
        ({"l": 0, "sensitive": ("illness",)}, "l must be a whole number of at least 1"),
        ({"l": 2.5, "sensitive": ("illness",)}, "l must be a whole number"),
        ({"l": float("nan"), "sensitive": ("illness",)}, "l must be a number"),
        ({"l": 2}, "name one"),
        ({"t": 1.5, "sensitive": ("illness",)}, "t must lie in"),
        ({"t": -0.1, "sensitive": ("illness",)}, "t must lie in"),
        ({"max_suppressed": 1}, "max_suppressed must lie in"),
        ({"output": "set"}, "did you mean 'sets'"),
        ({"sensitive": ("age",)}, "given twice"),
        ({"hierarchies": {"agee": "x"}}, "did you mean 'age'"),
        ({"presence": (0.5, 0.2)}, "LOW must not lie above HIGH"),
        ({"presence": (0, 2)}, "highest presence must lie in"),
        ({"presence": (0, 1), "output": "sets"}, "cannot go with output 'sets'"),
        ({"quasi": ()}, "at least one quasi-identifier"),
        ({"quasi": "age"}, "a list of columns"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Plan(**{"quasi": ("age",), **wrong})


def test_what_cannot_be_met_is_refused(tree: str) -> None:
    table = Table.of({"colour": ["red", "blue", "red"], "illness": ["flu", "flu", "flu"]})
    with pytest.raises(DataError, match="k = 4 is larger than the table, which has 3 rows"):
        done(table, Plan(quasi=("colour",), k=4))
    with pytest.raises(PolicyViolation, match="nothing satisfies the models"):
        done(table, Plan(quasi=("colour",), sensitive=("illness",), l=2))
    with pytest.raises(UnknownName, match="did you mean 'colour'"):
        done(table, Plan(quasi=("color",)))
    odd = Table.of({"colour": ["red", "pink", "red"]})
    with pytest.raises(DataError, match=r"lacks the value 'pink' \(row 2\)"):
        done(odd, Plan(quasi=("colour",), hierarchies={"colour": tree}))
