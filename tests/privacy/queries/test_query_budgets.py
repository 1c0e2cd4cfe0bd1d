"""The budget: never over-spent, never under-counted, whatever crashes, races, or asks again."""

from __future__ import annotations

import hashlib
import math
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from hauberk.core.errors import BudgetExceeded, ConfigError, DataError, IntegrityError
from hauberk.privacy.queries import Accounting, Description, ask, register, status
from hauberk.privacy.queries.accounting import epsilon_of, rho_for
from hauberk.privacy.queries.opening import budgets_at, default_store
from hauberk.privacy.queries.recording import answer_evidence, registration_evidence

COUNT = "SELECT COUNT(*) FROM data"


def budget_file(people: Path) -> Path:
    return Path(f"{people}.budget")


def rows_in(people: Path, text: str = "SELECT units, delta_units, answer FROM query_spendings") -> list[Any]:
    """What stands in the database, read without the package."""
    database = sqlite3.connect(budget_file(people))
    try:
        return database.execute(text).fetchall()
    finally:
        database.close()


@pytest.fixture
def pure(people: Path, described: Description) -> Path:
    register(people, described, Accounting("pure", 1.0, 1e-6))
    return people


def test_ten_tenths_are_the_whole_and_an_eleventh_is_refused(pure: Path) -> None:
    for turn in range(10):
        asked = ask(pure, f"SELECT SUM(age) AS s{turn} FROM data", asker="ann", epsilon=0.1)
        assert asked.left["epsilon"] == pytest.approx(0.9 - turn / 10)
    assert asked.left["epsilon"] == 0
    before = rows_in(pure)
    with pytest.raises(BudgetExceeded, match="0 left; nothing was spent"):
        ask(pure, COUNT, asker="ann", epsilon=1e-6)
    assert rows_in(pure) == before
    assert sum(units for units, _delta, _answer in before) == 10**9


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prices=st.lists(st.floats(1e-6, 0.7), min_size=1, max_size=6))
def test_a_second_accountant_never_finds_more_than_the_budget(
    prices: list[float], people: Path, described: Description
) -> None:
    """It reads scales from the answers, and adds sensitivities by scales, exactly."""
    budget_file(people).unlink(missing_ok=True)
    register(people, described, Accounting("pure", 1.0))
    loss = Fraction(0)
    for turn, price in enumerate(prices):
        try:
            asked = ask(people, f"SELECT SUM(age) AS s{turn}, COUNT(*) FROM data", asker="ann", epsilon=price)
        except BudgetExceeded:
            assert loss + Fraction(price) > 1 - Fraction(1, 10**8)
            continue
        total, count = asked.answer.figures
        step = described.columns["age"].step
        low, high = described.columns["age"].grid
        loss += Fraction(max(-low, high)) / Fraction(total["noise"][0]["scale"] / step)
        loss += 1 / Fraction(count["noise"][0]["scale"])
    assert loss <= 1
    _one, spent = status(people)
    assert loss <= Fraction(spent.units, 10**9) <= 1


def delta_of_gaussian(epsilon: float, rho: float) -> float:
    """What a Gaussian of this rho really needs (Balle and Wang 2018): no conversion may say less."""
    ratio = math.sqrt(2 * rho)
    return float(
        stats.norm.cdf(ratio / 2 - epsilon / ratio)
        - math.exp(epsilon) * stats.norm.cdf(-ratio / 2 - epsilon / ratio)
    )


def delta_of_zcdp(epsilon: float, rho: float) -> float:
    """Canonne, Kamath and Steinke 2020, Corollary 13, minimised over the order by numbers."""

    def log_delta(order: float) -> float:
        return (order - 1) * (order * rho - epsilon) + (order - 1) * math.log1p(-1 / order) - math.log(order)

    found = optimize.minimize_scalar(lambda x: log_delta(1 + math.exp(x)), bounds=(-12, 12), method="bounded")
    return math.exp(found.fun)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("delta", [1e-9, 1e-6, 1e-3])
def test_zcdp_is_converted_as_a_second_accountant_does(epsilon: float, delta: float) -> None:
    rho = rho_for(epsilon, delta)
    assert epsilon_of(rho, delta) <= epsilon
    assert epsilon_of(rho * 1.001, delta) > epsilon
    assert delta_of_gaussian(epsilon, rho) < delta
    assert delta_of_zcdp(epsilon, rho) == pytest.approx(delta, rel=0.02)


def test_zcdp_adds_rho_and_says_epsilon(people: Path, described: Description) -> None:
    register(people, described, Accounting("zcdp", 1.0, 1e-6))
    first = ask(people, COUNT, asker="ann", rho=0.005)
    assert first.answer.figures[0]["noise"][0] == {"noise": "gaussian", "scale": pytest.approx(10.0)}
    one, spent = status(people)
    assert one.accounting.said(spent.units) == {
        "rho": 0.005, "epsilon": pytest.approx(epsilon_of(0.005, 1e-6)), "delta": 1e-6,
    }  # fmt: skip
    with pytest.raises(BudgetExceeded):
        ask(people, "SELECT SUM(age) FROM data", asker="ann", rho=0.03)
    with pytest.raises(ConfigError, match="counts rho"):
        ask(people, COUNT, asker="ann", epsilon=0.1)
    with pytest.raises(ConfigError, match="pure accounting"):
        ask(people, COUNT, asker="ann", rho=0.001, delta=1e-9)


def test_the_same_question_is_paid_once(pure: Path) -> None:
    first = ask(pure, COUNT, asker="ann", epsilon=0.25)
    again = ask(pure, "select count( * ) from data", asker="ann", epsilon=0.25)
    assert (first.again, again.again) == (False, True)
    assert again.answer == first.answer
    assert again.left == first.left
    other = ask(pure, COUNT, asker="bob", epsilon=0.25)  # he pays, and gets noise of his own
    assert (other.again, other.left["epsilon"]) == (False, 0.5)
    dearer = ask(pure, COUNT, asker="ann", epsilon=0.5)
    assert (dearer.again, dearer.left["epsilon"]) == (False, 0.0)
    assert ask(pure, COUNT, asker="ann", epsilon=0.25).again  # for nothing, though nothing is left


def test_each_person_has_a_budget_within_the_whole(people: Path, described: Description) -> None:
    register(people, described, Accounting("pure", 1.0), askers={"ann": 0.8, "bob": 0.8})
    assert ask(people, COUNT, asker="ann", epsilon=0.6).left_asker == {"epsilon": 0.2}
    with pytest.raises(BudgetExceeded, match="of ann"):
        ask(people, "SELECT SUM(age) FROM data", asker="ann", epsilon=0.3)
    with pytest.raises(BudgetExceeded, match=r"0\.4 left"):
        ask(people, COUNT, asker="bob", epsilon=0.5)
    with pytest.raises(BudgetExceeded, match="'eve' has no budget"):
        ask(people, COUNT, asker="eve", epsilon=0.1)
    asked = ask(people, COUNT, asker="bob", epsilon=0.4)
    assert (asked.left, asked.left_asker) == ({"epsilon": 0.0}, {"epsilon": 0.0})


def test_delta_has_a_budget_too(pure: Path) -> None:
    jobs = "SELECT job, COUNT(*) FROM data GROUP BY job"
    asked = ask(pure, jobs, asker="ann", epsilon=0.3, delta=6e-7)
    assert asked.left == {"epsilon": 0.7, "delta": pytest.approx(4e-7)}
    assert {row["keys"]["job"] for row in asked.answer.rows} <= {"cook", "nurse"}
    with pytest.raises(BudgetExceeded, match="delta"):
        ask(pure, jobs, asker="ann", epsilon=0.4, delta=5e-7)
    with pytest.raises(ConfigError, match="costs delta"):
        ask(pure, jobs, asker="ann", epsilon=0.4)
    assert sum(delta for _units, delta, _answer in rows_in(pure)) == 6 * 10**11


@pytest.mark.parametrize("epsilon", [0, -1, math.nan, math.inf, 1e-9, 21, 1e300, None, True])
def test_absurd_prices_are_refused(epsilon: Any, pure: Path) -> None:
    with pytest.raises(ConfigError, match="epsilon"):
        ask(pure, COUNT, asker="ann", epsilon=epsilon)
    assert rows_in(pure) == []


@pytest.mark.parametrize(
    ("method", "budget", "delta"),
    [("pure", 0, 0), ("pure", -1, 0), ("pure", math.nan, 0), ("pure", 100, 0), ("pure", 1, -1),
     ("pure", 1, 0.5),
     ("zcdp", 1, 0), ("zcdp", 1, 1), ("rdp", 1, 0)],
)  # fmt: skip
def test_absurd_budgets_are_refused(method: Any, budget: float, delta: float) -> None:
    with pytest.raises(ConfigError):
        Accounting(method, budget, delta)


def test_a_bad_question_costs_nothing(pure: Path) -> None:
    for question in ("SELECT", "SELECT MAX(age) FROM data", "SELECT AVG(agee) FROM data"):
        with pytest.raises(ConfigError):
            ask(pure, question, asker="ann", epsilon=0.5)
    for asker in ("", " ann", "a\nb", "x" * 201):
        with pytest.raises(ConfigError, match="name"):
            ask(pure, COUNT, asker=asker, epsilon=0.5)
    assert rows_in(pure) == []


def test_other_data_are_refused(pure: Path, described: Description) -> None:
    pure.write_text(pure.read_text() + "p1,3,north,5,cook\n")
    with pytest.raises(IntegrityError, match="not what was registered"):
        ask(pure, COUNT, asker="ann", epsilon=0.5)
    assert rows_in(pure) == []


def test_no_budget_is_never_a_fresh_one(people: Path, described: Description) -> None:
    with pytest.raises(DataError, match="no budgets at"):
        ask(people, COUNT, asker="ann", epsilon=0.5)
    assert not budget_file(people).exists()
    register(people, described, Accounting("pure", 1.0))
    with pytest.raises(ConfigError, match="has a budget already"):
        register(people, described, Accounting("pure", 1.0))
    with pytest.raises(ConfigError, match="as 'people"):
        register(people, described, Accounting("pure", 1.0), name="another")
    with pytest.raises(DataError, match="'other' has no budget"):
        ask(people, COUNT, asker="ann", epsilon=0.5, name="other")
    assert budget_file(people).stat().st_mode & 0o077 == 0


def test_broken_stores_are_one_line(people: Path, described: Description, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"not a database" * 100)
    with pytest.raises(IntegrityError, match="is damaged, or no database"):
        ask(people, COUNT, asker="ann", epsilon=0.5, store=f"sqlite:///{tmp_path / 'broken'}")
    for url in ("nonsense", "nodb://x"):
        with pytest.raises(ConfigError, match="URL"), budgets_at(url):
            pass


def test_clocks_play_no_part(pure: Path) -> None:
    """One that runs backwards changes the notes, not the sums."""
    one, _spent = status(pure)
    for year, units in ((2030, 4), (1970, 5), (9999, 6)):
        clock = lambda year=year: datetime(year, 1, 1, tzinfo=UTC)  # noqa: E731
        with budgets_at(default_store(pure), clock=clock) as store:
            store.charge(one, "ann", f"question {year}", units, 0)
    assert status(pure)[1].units == 15


RACE = """
import sys
from hauberk.core.errors import BudgetExceeded
from hauberk.privacy.queries import ask
sys.stdin.readline()
try:
    ask(sys.argv[1], "SELECT COUNT(*) FROM data", asker=sys.argv[2], epsilon=0.6)
    print("answered")
except BudgetExceeded:
    print("refused")
"""


def test_two_that_race_for_the_last_of_the_budget(pure: Path) -> None:
    """Both are ready before either begins; together they want more than there is."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(pure), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("ann", "bob", "eve")
    ]
    for one in racers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = sorted(one.communicate(timeout=120)[0].strip() for one in racers)
    assert said == ["answered", "refused", "refused"]
    assert [units for units, _delta, _answer in rows_in(pure)] == [600_000_000]


KILLED = """
import os, signal, sys
from hauberk.privacy.queries import ask, measuring
plan = measuring.plan
def planned(*arguments):
    found = plan(*arguments)
    def die(table):
        os.kill(os.getpid(), signal.SIGKILL)
    return measuring.Plan(found.question, found.cells, found.parts, found.loss, die)
measuring.plan = planned
ask(sys.argv[1], "SELECT COUNT(*) FROM data", asker="ann", epsilon=0.6)
"""


def test_what_is_killed_between_paying_and_answering_has_paid(pure: Path) -> None:
    said = subprocess.run([sys.executable, "-c", KILLED, str(pure)], capture_output=True, text=True)
    assert said.returncode == -signal.SIGKILL, said.stderr
    assert [(units, answer) for units, _delta, answer in rows_in(pure)] == [(600_000_000, None)]
    assert status(pure)[1].units == 600_000_000
    with pytest.raises(BudgetExceeded):
        ask(pure, COUNT, asker="ann", epsilon=0.6)  # no answer was kept, so there is none to give again
    assert ask(pure, COUNT, asker="ann", epsilon=0.4).left["epsilon"] == 0


def test_the_price_is_on_disk_before_the_data_are_measured(pure: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hauberk.privacy.queries import asking

    real, seen = asking.table_of, []

    def watched(*arguments: Any) -> Any:
        seen.append(rows_in(pure))
        return real(*arguments)

    monkeypatch.setattr(asking, "table_of", watched)
    ask(pure, COUNT, asker="ann", epsilon=0.6)
    assert seen == [[(600_000_000, 0, None)]]


def test_evidence_holds_no_figure_but_the_noisy_ones(pure: Path) -> None:
    one, _spent = status(pure)
    asked = ask(pure, "SELECT region, AVG(income) FROM data GROUP BY region", asker="ann", epsilon=0.5)
    record = answer_evidence(asked, "ann")
    assert record.parents == (one.evidence,)
    text = str(record.to_json()) + str(registration_evidence(one).to_json())
    assert hashlib.sha256(pure.read_bytes()).hexdigest() not in text
    assert one.data_seal not in text
    assert one.salt.hex() not in text
    assert "p17" not in text
