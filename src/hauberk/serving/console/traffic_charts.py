"""Charts of live traffic: requests a second and answer times, over the last quarter of an hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hauberk.reports.charts import LineChart, Point, Series
from hauberk.serving.console.history import EVERY_S, KEPT_S
from hauberk.serving.console.history import Point as Look


def rate_chart(looks: Sequence[Look], words: Callable[[str], str]) -> LineChart:
    """Requests a second over the last quarter of an hour."""
    lines: list[tuple[str, int, Callable[[Look], float]]] = [
        ("answered", 1, lambda one: one.answered),
        ("refused", 4, lambda one: one.refused),
    ]
    if any(one.failed for one in looks):
        lines.append(("failed", 0, lambda one: one.failed))
    series = [Series(words(f"traffic.{name}"), style, _points(looks, value)) for name, style, value in lines]
    return _chart("traffic.rates", series, words)


def latency_chart(looks: Sequence[Look], words: Callable[[str], str]) -> LineChart:
    """Milliseconds from headers to answer of predictions: the middle one, and the one in a hundred."""
    series = [
        Series("p50", 1, _points(looks, lambda one: _milliseconds(one.figures.p50_s))),
        Series("p99", 3, _points(looks, lambda one: _milliseconds(one.figures.p99_s)), dash=1),
    ]
    return _chart("traffic.latency", series, words)


def _chart(title: str, series: Sequence[Series], words: Callable[[str], str]) -> LineChart:
    return LineChart(
        title=words(title),
        x_label=words("traffic.minutes"),
        y_label="",  # the title says it
        series=series,
        x_text=lambda value: f"{value:g}".replace("-", "−"),
        legend=True,
    )


def _points(looks: Sequence[Look], value: Callable[[Look], float | None]) -> list[Point]:
    """By minutes before the newest look; the whole quarter of an hour is on the axis from the beginning, and
    where the server was not looked at is a gap."""
    if not looks:
        return []
    newest = looks[-1].at_s
    found: list[Point] = [(-KEPT_S / 60, None)]
    before = newest - KEPT_S
    for one in looks:
        minutes = (one.at_s - newest) / 60
        if one.at_s - before > 3 * EVERY_S:
            found.append((minutes, None))
        found.append((minutes, value(one)))
        before = one.at_s
    return found


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds
