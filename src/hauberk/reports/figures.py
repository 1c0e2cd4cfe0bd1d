"""Which charts a report has: accuracy against radius for each norm, loss and accuracy for each training."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

from hauberk.reports.charts import LineChart, Mark, Point, Series, stacked
from hauberk.reports.numbers import NORMS, radius
from hauberk.reports.views import Curve, Epoch, History, Summary
from hauberk.reports.words import Words


def style_sheet(*names: str) -> str:
    """The named files of ``templates``, one after the other."""
    folder = resources.files("hauberk.reports") / "templates"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def styles(summary: Summary) -> dict[str, int]:
    """Each model's colour number, the same in every chart and table."""
    return {name: index for index, name in enumerate(summary.names)}


def radius_charts(summary: Summary, words: Words) -> list[LineChart]:
    """Accuracy against radius, one chart for each norm that was measured."""
    norms = dict.fromkeys(curve.threat.norm for curve in summary.curves)
    return [_radius_chart(summary, words, norm) for norm in norms]


def _radius_chart(summary: Summary, words: Words, norm: str) -> LineChart:
    curves = [curve for curve in summary.curves if curve.threat.norm == norm]
    several = len({curve.attack for curve in curves}) > 1
    radii = dict.fromkeys(model.threat.eps for model in summary.models if model.threat.norm == norm)
    sign = NORMS.get(norm, norm)
    return LineChart(
        title=words("curve.title", norm=sign),
        x_label=words("curve.x", norm=sign),
        y_label=words("curve.y"),
        series=[_curve_line(summary, curve, several=several) for curve in curves],
        y_top=1.0,
        y_text=_whole_percent,
        marks=[Mark(eps, words("curve.mark", eps=radius(eps))) for eps in radii],
    )


def _curve_line(summary: Summary, curve: Curve, *, several: bool) -> Series:
    same = [one for one in summary.curves if (one.name, one.threat.norm) == (curve.name, curve.threat.norm)]
    return Series(
        label=f"{curve.name} · {curve.attack}" if several else curve.name,
        style=styles(summary)[curve.name],
        points=[(eps, accuracy) for eps, accuracy, _ in curve.points],
        band=[(eps, *bounds) for eps, _, bounds in curve.points],
        dash=same.index(curve),
    )


def caption(history: History, words: Words) -> str:
    """``hardened · hardening · adversarial``."""
    kind = words(f"kind.{history.kind}")
    if history.method is None:
        return words("training.caption", name=history.name, kind=kind)
    return words("training.caption_method", name=history.name, kind=kind, method=history.method)


def training_charts(summary: Summary, history: History, words: Words) -> list[LineChart]:
    """Loss by epoch and accuracies by epoch; a chart without a single figure is left out."""
    style = styles(summary)[history.name]
    loss = [_history_line(history, words("training.loss"), style, lambda row: row.loss)]
    accuracies = [
        _history_line(history, words("training.held_out"), style, lambda row: row.held_out_accuracy),
        _history_line(history, words("training.train"), style, lambda row: row.train_accuracy, dash=1),
        _history_line(history, words("training.robust"), style, lambda row: row.held_out_robust, dash=2),
    ]
    title = caption(history, words)
    best = [] if history.best_epoch is None else [Mark(history.best_epoch, words("training.best"))]
    charts = [
        LineChart(
            words("training.loss_title", caption=title),
            x_label=words("training.epoch"),
            y_label=words("training.loss"),
            series=_measured(loss),
            marks=best,
            whole_x=True,
        ),
        LineChart(
            words("training.accuracy_title", caption=title),
            x_label=words("training.epoch"),
            y_label=words("training.accuracy"),
            series=_measured(accuracies),
            y_top=1.0,
            y_text=_whole_percent,
            marks=best,
            whole_x=True,
        ),
    ]
    return [chart for chart in charts if chart.series]


def _history_line(
    history: History, label: str, style: int, read: Callable[[Epoch], float | None], *, dash: int = 0
) -> Series:
    points: list[Point] = [(row.epoch, read(row)) for row in history.epochs]
    return Series(label, style, points, dash=dash)


def _measured(lines: list[Series]) -> list[Series]:
    return [line for line in lines if any(y is not None for _, y in line.points)]


def _whole_percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def files(summary: Summary, words: Words) -> dict[str, str]:
    """The charts as SVG files with their own style, by file name; empty ones are left out."""
    css = style_sheet("colours.css", "chart.css")
    found = {
        "curves.svg": radius_charts(summary, words),
        "training.svg": [
            chart for history in summary.histories for chart in training_charts(summary, history, words)
        ],
    }
    return {name: stacked(charts, css) for name, charts in found.items() if charts}
