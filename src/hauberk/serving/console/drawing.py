"""Charts, drawn on the server: once for wide windows, once for phones, and their figures as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hauberk.reports.charts import LineChart

_MOST_ROWS = 30  # of the table; of more points every second, third … is left out


@dataclass(frozen=True)
class Drawn:
    """One chart.

    Args:
        wide, narrow: SVG.
        head: of the table, one word a column; ``rows`` the figures, as texts.
    """

    title: str
    wide: Markup
    narrow: Markup
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def drawn(chart: LineChart, *, height: int = 300) -> Drawn:
    """A chart as a page shows it."""
    return Drawn(
        title=chart.title,
        wide=Markup(chart.svg(760, height)),  # noqa: S704 charts escape their own texts
        narrow=Markup(chart.svg(380, 280, direct=False)),  # noqa: S704
        head=(chart.x_label, *(one.label for one in chart.series)),
        rows=_rows(chart),
    )


def _rows(chart: LineChart) -> tuple[tuple[str, ...], ...]:
    """Every x at which a line has a value, the last first."""
    values = [dict(one.points) for one in chart.series]
    at = sorted({x for one in values for x, y in one.items() if y is not None}, reverse=True)
    every = -(-len(at) // _MOST_ROWS) or 1
    return tuple(
        (f"{x:.3g}".replace("-", "−"), *(_written(chart, one.get(x)) for one in values)) for x in at[::every]
    )


def _written(chart: LineChart, value: float | None) -> str:
    if value is None:
        return "–"
    return chart.y_text(float(f"{value:.3g}"))


def all_drawn(charts: Sequence[LineChart], *, height: int = 300) -> tuple[Drawn, ...]:
    """Several of them."""
    return tuple(drawn(one, height=height) for one in charts)
