"""Which charts a report has: accuracy against radius and queries, trainings, copies, ROC curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources

from hauberk.reports.charts import LineChart, Mark, Point, Series, stacked
from hauberk.reports.harm import RATES
from hauberk.reports.numbers import NORMS, radius
from hauberk.reports.sweeps import sweep_chart
from hauberk.reports.views import (
    Attacker,
    Curve,
    Detection,
    Epoch,
    Extraction,
    Guess,
    History,
    Membership,
    Model,
    Single,
    Summary,
)
from hauberk.reports.words import Words

_LEAST_RATE = 1e-4  # of false alarms: no test set shows less


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


def query_charts(summary: Summary, words: Words) -> list[LineChart]:
    """Accuracy against queries spent: evaluations together, single attacks together."""
    colour = styles(summary)
    evaluations = [
        Series(model.name, colour[model.name], model.spent, dash=_repeated(summary.models, index))
        for index, model in enumerate(summary.models)
    ]
    singles = [
        Series(
            f"{one.name} · {one.attack}", colour[one.name], one.spent, dash=_repeated(summary.singles, index)
        )
        for index, one in enumerate(summary.singles)
    ]
    charts = [
        LineChart(
            title=words(title),
            x_label=words("queries.x"),
            y_label=words("curve.y"),
            series=_measured(lines),
            y_top=1.0,
            y_text=_whole_percent,
            x_text=_grouped,
            log_x=1.0,
        )
        for title, lines in (("queries.title", evaluations), ("queries.title_singles", singles))
    ]
    return [chart for chart in charts if chart.series]


def _repeated(parts: Sequence[Model | Single | Extraction], index: int) -> int:
    """How many before this one are about a model of the same name, which has the same colour."""
    return sum(one.name == parts[index].name for one in parts[:index])


def fidelity_charts(summary: Summary, words: Words) -> list[LineChart]:
    """Agreement with the victim against queries, one chart for each victim."""
    victims = dict.fromkeys(one.victim for one in summary.extractions)
    return [_fidelity_chart(summary, words, victim) for victim in victims]


def _fidelity_chart(summary: Summary, words: Words, victim: str) -> LineChart:
    copies = [one for one in summary.extractions if one.victim == victim]
    several = len({one.name for one in copies}) < len(copies)
    least = min((point.queries for one in copies for point in one.points), default=1)
    return LineChart(
        title=words("extraction.title", victim=victim),
        x_label=words("extraction.x"),
        y_label=words("extraction.y"),
        series=[
            Series(
                label=f"{one.name} · {one.thief}" if several else one.name,
                style=styles(summary)[one.name],
                points=[(point.queries, point.fidelity.value) for point in one.points],
                band=[(point.queries, *point.fidelity.interval) for point in one.points],
                dash=_repeated(copies, index),
            )
            for index, one in enumerate(copies)
        ],
        y_top=1.0,
        y_text=_whole_percent,
        x_text=_grouped,
        log_x=max(1.0, least),
    )


def roc_chart(membership: Membership, words: Words) -> LineChart:
    """Members found against false alarms, both axes logarithmic, from the least rate that can be seen."""
    least = max(_LEAST_RATE, 1 / max(1, membership.non_members))
    return LineChart(
        title=words("membership.title", name=membership.name),
        x_label=words("membership.x"),
        y_label=words("membership.y"),
        series=[_roc_line(one, style, least) for style, one in enumerate(membership.attacks)],
        y_top=1.0,
        y_text=_short_percent,
        x_text=_short_percent,
        log_x=least,
        log_y=least,
        guide=[(least, least), (1.0, 1.0)],
        marks=[Mark(rate, "") for rate in RATES if rate > 1.05 * least],  # labelled below, as ticks
        legend=True,
    )


def _roc_line(attack: Guess, style: int, least: float) -> Series:
    """What is found without a visible false alarm stands at the axis' start; what finds nobody, nowhere."""
    first = max((found for rate, found in attack.roc if rate <= least * (1 + 1e-9)), default=0.0)
    rest = [(rate, found) for rate, found in attack.roc if rate > least * (1 + 1e-9)]
    points: list[Point] = [(rate, found or None) for rate, found in [(least, first), *rest]]
    return Series(attack.name, style, points, dash=style)  # dashes keep lines apart that run over each other


def detection_chart(detection: Detection, words: Words) -> LineChart:
    """Adversarial inputs found against clean ones refused; an attacker who fooled nobody has no line."""
    attackers = (("detection.oblivious", detection.oblivious), ("detection.adaptive", detection.adaptive))
    return LineChart(
        title=words("detection.title", name=detection.name),
        x_label=words("detection.x"),
        y_label=words("detection.y"),
        series=[_found_line(words(who), one, style) for style, (who, one) in enumerate(attackers) if one.roc],
        y_top=1.0,
        y_text=_whole_percent,
        x_text=_whole_percent,
        guide=[(0.0, 0.0), (1.0, 1.0)],
        legend=True,
    )


def _found_line(label: str, attacker: Attacker, style: int) -> Series:
    return Series(label, style, attacker.roc, dash=style)


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


def _short_percent(share: float) -> str:
    return f"{100 * share:g}%"


def _grouped(count: float) -> str:
    return f"{count:,.0f}"


def files(summary: Summary, words: Words) -> dict[str, str]:
    """The charts as SVG files with their own style, by file name; empty ones are left out."""
    css = style_sheet("colours.css", "chart.css")
    found = {
        "curves.svg": radius_charts(summary, words),
        "training.svg": [
            chart for history in summary.histories for chart in training_charts(summary, history, words)
        ],
        "queries.svg": query_charts(summary, words),
        "extraction.svg": fidelity_charts(summary, words),
        "detection.svg": [detection_chart(one, words) for one in summary.detections],
        "membership.svg": [roc_chart(one, words) for one in summary.memberships],
        "sweep.svg": [sweep_chart(one, words) for one in summary.sweeps],
    }
    return {name: stacked(charts, css) for name, charts in found.items() if charts}
