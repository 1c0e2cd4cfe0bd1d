"""Sweeps: what pruning, fewer bits or another length of training did to a model, read and drawn."""

from __future__ import annotations

from collections.abc import Sequence

from hauberk.reports.charts import LineChart, Series
from hauberk.reports.fields import Fields
from hauberk.reports.numbers import NORMS, radius
from hauberk.reports.parts import HUGE, share, subject_name, threat
from hauberk.reports.views import Sweep, SweepPoint
from hauberk.reports.words import Words

_GEOMETRIC = ("quantisation", "epochs", "samples")  # what counts is how many times as many


def sweep(document: Fields) -> Sweep:
    """A document of kind ``sweep``."""
    parameters, result = document.section("parameters"), document.section("result")
    attack, recipe = parameters.recipe("attack")
    points = sorted((_point(one) for one in result.sections("points")), key=lambda one: one.x)
    if not points:
        result.fail("points", "at least one point", [])
    return Sweep(
        name=subject_name(document),
        over=parameters.text("over"),
        threat=threat(document),
        attack=attack,
        recipe=recipe,
        points=tuple(points),
        samples=result.count("samples"),
        evidence=document.digest,
    )


def _point(one: Fields) -> SweepPoint:
    return SweepPoint(
        x=one.number("x", 0, HUGE),
        clean=share(one, "clean_accuracy", "clean_interval"),
        robust=share(one, "robust_accuracy", "robust_interval"),
        own=None if one.absent("train_accuracy") else one.fraction("train_accuracy"),
    )


def sweep_chart(part: Sweep, words: Words) -> LineChart:
    """Clean accuracy, accuracy under attack and, where something was trained, accuracy on its own data."""
    at = f"{NORMS.get(part.threat.norm, part.threat.norm)} {radius(part.threat.eps)}"
    lines = [
        Series(
            words("sweep.clean"), 0, [(one.x, one.clean.value) for one in part.points],
            band=[(one.x, *one.clean.interval) for one in part.points],
        ),
        Series(
            words("sweep.robust", at=at), 1, [(one.x, one.robust.value) for one in part.points],
            band=[(one.x, *one.robust.interval) for one in part.points],
        ),
    ]  # fmt: skip
    own = [(one.x, one.own) for one in part.points if one.own is not None]
    if own:
        lines.append(Series(words("sweep.own"), 2, own, dash=1))
    return LineChart(
        title=f"{part.name}: {axis(part, words)}",
        x_label=axis(part, words),
        y_label=words("curve.y"),
        series=lines,
        y_top=1.0,
        y_text=_share,
        x_text=_share if part.over == "pruning" else lambda value: f"{value:,.0f}",
        log_x=part.points[0].x if part.over in _GEOMETRIC else None,
        legend=True,
    )


def _share(value: float) -> str:
    return f"{100 * value:.0f}%"


def axis(part: Sweep, words: Words) -> str:
    """What changes along the axis, in the page's language."""
    key = f"sweep.x_{part.over}"
    return words(key) if key in words else part.over


def recipes(sweeps: Sequence[Sweep]) -> str:
    """The attacks behind the figures."""
    return "; ".join(dict.fromkeys(one.recipe for one in sweeps))
