"""Live traffic: figures over time, callers from the trail, and what a guard holds against whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.access import Caller, Circumstances, Question, open_access
from hauberk.access.granting import grant
from hauberk.access.identities import add
from hauberk.serving.console.history import EVERY_S, KEPT_S, History
from hauberk.serving.console.kept import served
from hauberk.serving.console.traffic import callers_of, traffic
from hauberk.serving.console.traffic_charts import latency_chart, rate_chart
from hauberk.serving.guard import tables
from hauberk.serving.guard.guard import Verdict
from hauberk.serving.guard.lifting import Held, held, lift
from hauberk.serving.guard.policy import Action
from hauberk.serving.metrics import Metrics
from hauberk.vault import Vault, create_vault


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "vault") as made:
        yield made


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_history_says_what_happened_between_two_looks_and_forgets_what_is_old() -> None:
    metrics, clock = Metrics(), Clock()
    history = History(metrics, seconds=clock, forward=clock)
    history.look()
    assert history.points() == ()
    for _ in range(20):
        metrics.answered("infer", 200, 0.004)
    metrics.answered("infer", 429, 0.001)
    metrics.answered("infer", 503, 0.001)
    clock.now += 5
    history.look()
    (point,) = history.points()
    assert (point.answered, point.refused, point.failed) == pytest.approx((4.0, 0.2, 0.2))
    assert point.figures.p50_s is not None
    assert 0.002 <= point.figures.p50_s <= 0.005
    for _ in range(400):
        clock.now += EVERY_S
        history.look()
    assert len(history.points()) == KEPT_S / EVERY_S
    assert clock.now - history.points()[0].at_s < KEPT_S


def test_a_chart_has_the_whole_quarter_of_an_hour_and_shows_where_nobody_looked() -> None:
    metrics, clock = Metrics(), Clock()
    history = History(metrics, seconds=clock, forward=clock)
    for step in (5, 5, 5, 60, 5):
        history.look()
        clock.now += step
    history.look()
    answered, _refused = rate_chart(history.points(), lambda key: key).series
    at = [x for x, _ in answered.points]
    assert at[0] == -15
    assert at[-1] == 0
    assert [y for _, y in answered.points].count(None) == 3, (
        "the beginning, the time before, and the minute away"
    )
    latency = latency_chart(history.points(), lambda key: key).svg()
    assert "NaN" not in latency
    assert 'style="' not in latency


def test_what_each_process_serves_is_counted() -> None:
    metrics = Metrics()
    metrics._served.labels("digits", "3").set(2)
    metrics._served.labels("digits", "2").set(0)
    history = History(metrics)
    assert served(history.newest) == {}
    history.look()
    assert served(history.newest) == {("digits", "3"): 2}


def test_callers_are_counted_from_the_trail(vault: Vault) -> None:
    add(vault.database, "cam", "service")
    grant(vault.database, "predictor", "cam", "digits")
    access = open_access(vault)
    cam = Caller("cam", "key")
    for model in ("digits", "digits", "flowers"):
        access.decide(cam, Question("model.predict", model, ("production",)), Circumstances("10.0.0.7"))
    access.decide(cam, Question("model.view", "digits"))
    present = vault.now_ms()
    (row,), since_ms = callers_of(vault.database, present, {})
    assert (row.name, row.asked, row.refused) == ("cam", 3, 1)
    assert present - since_ms == 15 * 60 * 1000
    assert callers_of(vault.database, present + 16 * 60 * 1000, {})[0] == ()


def test_who_is_held_is_shown_whether_or_not_he_asks_and_is_let_go(vault: Vault) -> None:
    history = History(Metrics())
    tables.make(vault.database)
    until = vault.now_ms() / 1000 + 60
    with vault.database.write() as connection:
        connection.execute(
            tables.news.insert().values(
                worker="w",
                kind="verdict",
                subject="eve",
                until=until,
                body=Verdict(Action.BLOCK, until).action.encode(),
            )
        )
    view = traffic(vault.database, history, vault.now_ms(), guarded=True)
    assert view.held == (Held("eve", Action.BLOCK, until),)
    assert view.now is None
    assert lift(vault.database, "eve")
    assert traffic(vault.database, history, vault.now_ms(), guarded=True).held == ()
    assert held(vault.database) == []
