"""How figures are written: one way for each kind of quantity, the same in pages, charts and pictures."""

from __future__ import annotations

from hauberk.reports.views import Interval, Share

NORMS = {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "L0"}
ABSENT = "–"
_NARROW = "\u202f"  # no-break space before the sign, as narrow as a hair


def percent(fraction: float | None) -> str:
    """``96.9 %``; one decimal, because a test set of a thousand carries no more."""
    return ABSENT if fraction is None else f"{100 * fraction:.1f}{_NARROW}%"


def interval(bounds: Interval) -> str:
    """``94.2–98.3 %``."""
    return f"{100 * bounds[0]:.1f}–{100 * bounds[1]:.1f}{_NARROW}%"


def share(value: Share | None) -> str:
    """``96.9 %``."""
    return ABSENT if value is None else percent(value.value)


def radius(eps: float) -> str:
    """``0.2``, or ``8/255`` for a radius that is whole in 255ths and long in decimals."""
    steps = round(eps * 255)
    if 0 < steps < 255 and abs(eps * 255 - steps) < 1e-6 and len(f"{eps:.6g}") > 5:
        return f"{steps}/255"
    return f"{eps:g}" if len(f"{eps:g}") <= 7 else f"{eps:.4g}"


def small(value: float | None) -> str:
    """Distances and means: three figures."""
    return ABSENT if value is None else f"{value:.3g}"


def amount(value: float | None) -> str:
    """Counts and means of counts, with separators once they grow long."""
    if value is None:
        return ABSENT
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def seconds(value: float | None) -> str:
    """Two decimals below ten seconds, one below a hundred, none above."""
    if value is None:
        return ABSENT
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def short(digest: str) -> str:
    """The first twelve letters of a digest, enough to recognise it."""
    return digest.rpartition(":")[2][:12]
