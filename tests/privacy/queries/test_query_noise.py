"""The noise is what it claims to be, it covers what one unit can change, and nobody can repeat it.

Statistical tests raise a false alarm with a probability of at most 1e-6 each; beside each stands that a noise
which is wrong by little would be seen.
"""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hauberk.privacy.queries import Column, Description
from hauberk.privacy.queries.answer import answer_of, half_width
from hauberk.privacy.queries.measuring import Plan, plan, totals
from hauberk.privacy.queries.sql import parse
from hauberk.privacy.queries.table import Table

ALARM = 1e-6
CELLS = 10_000


def wide() -> Description:
    """A category with so many values that one answer is a large sample of noise."""
    columns = (
        Column("cell", "category", values=tuple(map(str, range(CELLS)))),
        Column("x", "number", -4, 12),
        Column("job", "open"),
    )
    return Description({one.name: one for one in columns})


def table(cells: Any, x: Any, job: Any = None) -> Table:
    columns = {"cell": np.asarray(cells, np.int64), "x": np.asarray(x, float)}
    columns["job"] = np.asarray(["a"] * len(cells) if job is None else job, object)
    return Table(columns, len(cells), 0, {})


def planned(
    question: str, method: str, loss: float, description: Description | None = None, delta: float = 0
) -> Plan:
    description = description or wide()
    return plan(parse(question, description), description, method, loss, delta)  # type: ignore[arg-type]


def p_value(noise: Any, probability: Any, scale: float) -> float:
    """Chi-square of whole numbers against a law, in bins that expect at least twenty."""
    reach = int(40 * scale) + 40
    values = np.arange(-reach, reach + 1)
    expected = np.array([probability(value, scale) for value in values]) * len(noise)
    counts = np.array([(noise == value).sum() for value in values], float)
    joined: list[list[float]] = [[0.0, 0.0]]
    for wanted, found in zip(expected, counts, strict=True):
        if joined[-1][0] >= 20:
            joined.append([0.0, 0.0])
        joined[-1][0] += wanted
        joined[-1][1] += found
    last = joined.pop()
    joined[-1] = [joined[-1][0] + last[0], joined[-1][1] + last[1]]
    wanted, found = np.array(joined).T
    return float(stats.chisquare(found, wanted * found.sum() / wanted.sum()).pvalue)


def laplace(value: int, scale: float) -> float:
    q = math.exp(-1 / scale)
    return (1 - q) / (1 + q) * q ** abs(value)


def gaussian(value: int, scale: float) -> float:
    whole = sum(math.exp(-(one**2) / (2 * scale**2)) for one in range(-400, 401))
    return math.exp(-(value**2) / (2 * scale**2)) / whole


@pytest.mark.parametrize(
    ("method", "loss", "law", "scale"), [("pure", 0.5, laplace, 2.0), ("zcdp", 0.125, gaussian, 2.0)]
)
def test_counts_have_the_noise_that_is_claimed(method: str, loss: float, law: Any, scale: float) -> None:
    found = planned("SELECT cell, COUNT(*) FROM data GROUP BY cell", method, loss)
    assert found.parts[0][0].scale == pytest.approx(scale, rel=1e-6)  # of a sensitivity of one
    noise = np.array(found.release(table([], []))[0])
    assert len(noise) == CELLS
    assert p_value(noise, law, scale) > ALARM
    assert p_value(noise, law, scale * 0.85) < ALARM  # what would be a false claim is seen
    assert p_value(noise, law, scale * 1.15) < ALARM


def test_noise_is_independent_of_what_it_hides_and_of_the_neighbour_cell() -> None:
    found = planned("SELECT cell, COUNT(*) FROM data GROUP BY cell", "pure", 0.5)
    cells = np.repeat(np.arange(CELLS), np.arange(CELLS) % 4)
    noise = np.array(found.release(table(cells, np.zeros(len(cells))))[0]) - np.arange(CELLS) % 4
    assert p_value(noise, laplace, 2.0) > ALARM
    assert stats.pearsonr(noise[:-1], noise[1:]).pvalue > ALARM


def test_loss_measured_at_the_answer_is_never_above_the_claim() -> None:
    """A bound on epsilon from below, by the most telling event, at 1 - 1e-6: under the claim, above half."""
    epsilon, draws = 2.0, 6000
    found = planned("SELECT COUNT(*) FROM data", "pure", epsilon)
    with_one, without = (
        sum(found.release(rows)[0][0] >= 1 for _ in range(draws)) for rows in (table([0], [0]), table([], []))
    )
    low = stats.beta.ppf(ALARM / 2, with_one, draws - with_one + 1)
    high = stats.beta.ppf(1 - ALARM / 2, without + 1, draws - without)
    bound = math.log(low / high)
    assert bound <= epsilon
    assert bound > epsilon / 2  # so half the noise would have been caught


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Table, Table, int]:
    """A table, the same without one person, and how many rows a person may have."""
    most = draw(st.integers(1, 4))
    rows = draw(
        st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 2), st.floats(-4, 12)), min_size=1, max_size=25)
    )
    kept, seen = [], dict[int, int]()
    for person, cell, x in rows:
        seen[person] = seen.get(person, 0) + 1
        if seen[person] <= most:
            kept.append((person, cell, x))
    gone = kept[0][0]
    rest = [one for one in kept if one[0] != gone]
    tables = [table([one[1] for one in some], [one[2] for one in some]) for some in (kept, rest)]
    return tables[0], tables[1], most


@settings(max_examples=80, deadline=None)
@given(neighbours(), st.sampled_from(["SUM(x)", "COUNT(*)", "AVG(x)"]), st.sampled_from(["pure", "zcdp"]))
def test_what_one_person_changes_is_within_what_the_noise_covers(
    pair: tuple[Table, Table, int], figure: str, method: str
) -> None:
    first, second, most = pair
    columns = {"cell": Column("cell", "category", values=("a", "b", "c")), "x": Column("x", "number", -4, 12)}
    description = Description(columns, "person", most)
    question = parse(f"SELECT cell, {figure} FROM data WHERE x > -3 GROUP BY cell", description)
    one = plan(question, description, method, 0.5)  # type: ignore[arg-type]
    step, (low, high) = columns["x"].step, columns["x"].grid
    middle = (low + high) // 2
    values = {
        "SUM(x)": [lambda rows: np.rint(rows.columns["x"] / step).astype(np.int64)],
        "COUNT(*)": [None],
        "AVG(x)": [lambda rows: np.rint(rows.columns["x"] / step).astype(np.int64) - middle, None],
    }[figure]
    shares = len(values)
    for part, way in zip(one.parts[0], values, strict=True):
        change = np.array(totals(first, question, description, 3, way)) - np.array(
            totals(second, question, description, 3, way)
        )
        if method == "pure":
            covered = part.scale * 0.5 / shares
            assert np.abs(change).sum() <= covered * (1 + 1e-9)
        else:
            covered = part.scale * math.sqrt(2 * 0.5 / shares)
            assert np.linalg.norm(change) <= covered * (1 + 1e-9)


@pytest.mark.parametrize(("method", "loss"), [("pure", 0.4), ("zcdp", 0.05)])
def test_intervals_hold_as_often_as_they_say(method: str, loss: float) -> None:
    description = wide()
    question = "SELECT cell, COUNT(*), SUM(x), AVG(x) FROM data GROUP BY cell"
    found = planned(question, method, loss, description)
    cells = np.repeat(np.arange(CELLS), 200)
    x = np.tile(np.linspace(0, 8, 200), CELLS)
    answer = answer_of(found, found.release(table(cells, x)), description, {})
    truth = {"COUNT(*)": 200, "SUM(x)": x[:200].sum(), "AVG(x)": x[:200].mean()}
    for label, value in truth.items():
        slack = (
            200 * description.columns["x"].step if label == "SUM(x)" else 1e-4
        )  # values are rounded to steps
        held = sum(
            row["values"][label]["low"] - slack <= value <= row["values"][label]["high"] + slack
            for row in answer.rows
        )
        least = stats.binom.ppf(ALARM, CELLS, 0.95)
        assert held >= least, label
        if label != "AVG(x)":  # whose interval is a union of two
            assert held <= stats.binom.ppf(1 - ALARM, CELLS, 0.97), label


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5, 40.0])
def test_half_widths_are_the_smallest_that_hold(scale: float) -> None:
    from hauberk.privacy.queries.measuring import Part

    for level in (0.95, 0.975):
        width = half_width(Part("laplace", scale, None), level)
        outside = [2 * sum(laplace(a, scale) for a in range(w + 1, w + 4000)) for w in (width, width - 1)]
        assert outside[0] <= 1 - level + 1e-12
        assert width == 0 or outside[1] > 1 - level
        if scale >= 1:
            width = half_width(Part("gaussian", scale, None), level)
            assert 2 * sum(gaussian(a, scale) for a in range(width + 1, 400)) <= 1 - level


@pytest.mark.parametrize("method", ["pure", "zcdp"])
def test_quantiles_are_within_the_ranks_they_say(method: str) -> None:
    description = Description({"x": Column("x", "number", 0, 1000)})
    values = np.sort(np.random.default_rng(0).uniform(0, 1000, 5000))
    rows = Table({"x": values}, 5000, 0, {})
    found = planned("SELECT QUANTILE(x, 0.8) FROM data", method, 0.5 if method == "pure" else 0.02, description)
    held, draws = 0, 150
    for _ in range(draws):
        figure = answer_of(found, found.release(rows), description, {}).rows[0]["values"]["QUANTILE(x, 0.8)"]
        rank = np.searchsorted(values, figure["value"])
        held += abs(rank - 4000) <= figure["rank_error"] + 6  # candidates are about five ranks apart
    assert held >= stats.binom.ppf(ALARM, draws, 0.95)


@pytest.mark.parametrize("place", [0.5, 0.9, 0.2])
def test_noise_of_quantiles_is_as_large_as_theory_asks(place: float) -> None:
    """By hand: a row moves one candidate's score against another's by at most twice max(q, 1 - q).

    Pure noise is exponential; a mechanism of bounded range e costs e**2 / 8 in zCDP (Cesar and Rogers 2021).
    """
    description = Description({"x": Column("x", "number", 0, 1000)}, "who", 3)
    moved = 2 * max(place, 1 - place) * 3
    question = f"SELECT QUANTILE(x, {place}) FROM data"
    pure = planned(question, "pure", 0.5, description).parts[0][0].scale
    assert pure == pytest.approx(moved / 0.5, rel=1e-6)
    zcdp = planned(question, "zcdp", 0.02, description).parts[0][0].scale
    assert zcdp == pytest.approx(moved / math.sqrt(8 * 0.02), rel=1e-6)


def test_rare_groups_that_nobody_declared_stay_hidden() -> None:
    """One person's own group shows with a probability of at most delta: 1e-9 here, in a thousand answers."""
    found = planned("SELECT job, COUNT(*) FROM data GROUP BY job", "pure", 1.0, delta=1e-9)
    rows = table([0] * 501, [0] * 501, ["nurse"] * 500 + ["the only astronaut"])
    shown = [set(found.release(rows)[0]) for _ in range(1000)]
    assert shown == [{"nurse"}] * 1000
    assert found.threshold is not None
    assert found.loss[0] <= 1.0
    assert found.loss[1] <= 1e-9


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("delta", [1e-3, 1e-5, 1e-9])
def test_the_threshold_covers_the_least_count_that_is_shown(most: int, delta: float) -> None:
    """By hand, from what is really shown: OpenDP 0.16 itself says a delta that is too small by one step."""
    columns = {"job": Column("job", "open")}
    description = Description(columns, "who" if most > 1 else "row", most)
    found = planned("SELECT job, COUNT(*) FROM data GROUP BY job", "pure", 1.0, description, delta)
    scale, threshold = found.parts[0][0].scale, found.threshold
    assert threshold is not None
    near = Table({"job": np.array(["x"] * (threshold - 1), object)}, threshold - 1, 0, {})
    least = min(count for _ in range(400) for count in found.release(near)[0].values())
    assert least == threshold  # missed with a probability below 1e-6: most of what is shown lies just above
    tail = sum(laplace(value, scale) for value in range(least - most, least + 400))
    assert tail <= delta
    assert most * tail > delta / 20


def test_noise_cannot_be_repeated() -> None:
    found = planned("SELECT cell, COUNT(*) FROM data GROUP BY cell", "pure", 0.1)
    drawn = []
    for _ in range(2):
        random.seed(0)
        np.random.seed(0)
        drawn.append(found.release(table([], []))[0])
    assert drawn[0] != drawn[1]
