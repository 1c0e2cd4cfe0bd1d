"""Line charts as SVG text, without a plotting library: scales, ticks, bands, labels that keep apart.

Colours are classes (``s0`` to ``s5``, see ``templates/chart.css``), so a page decides how they look in the
light, in the dark and on paper. Every series has its own marker and dash too: colour is never the only sign.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from hauberk.reports.scales import Linear, Logarithmic, flat, linear, logarithmic, ticks

FONT = 13  # px, of all text in a chart
_LINE = 19  # px between two lines of text
_DENSE = 24  # points; above that markers would run into each other
STYLES = 6  # how many colours, dashes and markers there are before they repeat

Point = tuple[float, float | None]


@dataclass(frozen=True)
class Series:
    """One line.

    Args:
        style: which colour, marker and dash; the same number means the same model in every chart.
        points: ``(x, y)`` by growing x; a y of None is a gap.
        band: ``(x, low, high)``, or empty.
        dash: overrides the dash of ``style``, where one model has several lines.
    """

    label: str
    style: int
    points: Sequence[Point]
    band: Sequence[tuple[float, float, float]] = ()
    dash: int = 0


@dataclass(frozen=True)
class Mark:
    """A vertical line with a word on it, if any."""

    x: float
    label: str


@dataclass(frozen=True)
class LineChart:
    """One chart; ``svg`` draws it at a size.

    Args:
        title: for those who cannot see the chart, and shown on hovering.
        y_top: the end of the y axis, or None to find one.
        y_text, x_text: how a tick is written.
        whole_x: ticks at whole numbers only.
        log_x, log_y: the least value of an axis on which equal ratios are equally long; None for even steps.
            Smaller values are drawn at the axis' start.
        guide: a line to compare with, such as what guessing gives; part of no series.
        legend: names stand above even where there is room for them at the lines' ends.
    """

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    y_top: float | None = None
    y_text: Callable[[float], str] = field(default=lambda value: f"{value:g}")
    marks: Sequence[Mark] = ()
    whole_x: bool = False
    x_text: Callable[[float], str] = field(default=lambda value: f"{value:g}")
    log_x: float | None = None
    log_y: float | None = None
    guide: Sequence[tuple[float, float]] = ()
    legend: bool = False

    def svg(self, width: int = 760, height: int = 380, *, direct: bool = True) -> str:
        """The chart as one ``<svg>`` element.

        Args:
            direct: names stand at the lines' ends; else in a legend above, for narrow screens.
        """
        return _Drawing(self, width, height, direct=direct and not self.legend).svg()


def text_width(text: str, size: float = FONT) -> float:
    """About how wide a text will be: full-width letters take one em, others a little over half."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return size * (wide + 0.68 * (len(text) - wide))  # bold Latin letters, on the wide side


def fit(text: str, width: float, size: float = FONT) -> str:
    """The text, cut with an ellipsis where it would be wider than ``width``."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}…", size) > width:
        text = text[:-1]
    return f"{text}…"


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, at least ``gap`` apart, inside ``low`` to ``high`` if they fit at all."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed: list[float] = []
    for index in order:
        placed.append(max(wanted[index], placed[-1] + gap if placed else low))
    limit = high
    for position in range(len(placed) - 1, -1, -1):
        placed[position] = min(placed[position], limit)
        limit = placed[position] - gap
    result = [0.0] * len(wanted)
    for index, place in zip(order, placed, strict=True):
        result[index] = place
    return result


class _Drawing:
    """One chart at one size: the scales, and the pieces in the order in which they are painted."""

    def __init__(self, chart: LineChart, width: int, height: int, *, direct: bool) -> None:
        self.chart, self.width, self.height, self.direct = chart, width, height, direct
        names = [text_width(one.label) for one in chart.series]
        labels = min(max(names, default=0) + 26, 0.3 * width) if direct else 14
        self.legend = [] if direct else _legend_rows([one.label for one in chart.series], width - 16)
        self.x0, self.x1 = 54.0, width - labels
        self.y0, self.y1 = height - 46.0, 34.0 + _LINE * len(self.legend)
        self._find_ranges()

    def _find_ranges(self) -> None:
        chart = self.chart
        xs = [x for one in chart.series for x, _ in one.points] + [mark.x for mark in chart.marks]
        ys = [y for one in chart.series for _, y in one.points if y is not None]
        self.across = self._across(min(xs, default=0.0), max(xs, default=1.0))
        self.up: Linear | Logarithmic
        if chart.log_y is not None:
            self.up = logarithmic(chart.log_y, max([chart.log_y, *ys]) if chart.y_top is None else chart.y_top)
            self.y_ticks = self.up.ticks(6)
        elif chart.y_top is not None:
            self.up, self.y_ticks = Linear(0.0, chart.y_top), ticks(0, chart.y_top, 5)
        else:
            self.up = _rounded(min([0.0, *ys]), max([0.0, *ys]))
            self.y_ticks = ticks(self.up.low, self.up.high, 6)

    def _across(self, left: float, right: float) -> Linear | Logarithmic:
        most = 6 if self.width > 500 else 4
        if self.chart.log_x is not None:
            scale = logarithmic(self.chart.log_x, max(self.chart.log_x, right))
            self.x_ticks = scale.ticks(most + 1)
            return scale
        self.x_ticks = ticks(left, right, most, whole=self.chart.whole_x)
        return linear(left, right)

    def x(self, value: float) -> float:
        return self.x0 + (self.x1 - self.x0) * self.across.share(value)

    def y(self, value: float) -> float:
        return self.y0 - (self.y0 - self.y1) * min(max(self.up.share(value), 0.0), 1.0)

    def svg(self) -> str:
        chart = self.chart
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" '
            f'viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}">',
            f"<title>{escape(chart.title)}</title>",
            *self._axes(),
            *(self._mark(mark) for mark in chart.marks),
            self._guide(),
            *(self._band(one) for one in chart.series if one.band),
            *(self._line(one) for one in chart.series),
            *(self._end_labels() if self.direct else self._legend()),
            "</svg>",
        ]
        return "\n".join(part for part in parts if part)

    def _axes(self) -> list[str]:
        parts = [_text(self.x0 - 46, self.y1 - 18, self.chart.y_label, "axis")]
        lines = dict.fromkeys([self.up.low, *self.y_ticks] if self.chart.log_y else self.y_ticks)
        for value in lines:
            y = self.y(value)
            kind = "base" if value == self.up.low else "grid"
            parts.append(
                f'<line class="{kind}" x1="{self.x0:g}" x2="{self.x1:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            if value not in self.y_ticks:
                continue  # where a logarithmic axis starts need not be round
            parts.append(_text(self.x0 - 8, y + 4.5, self.chart.y_text(value), "tick end"))
        for value in self.x_ticks:
            text = self.chart.x_text(value)
            at = min(self.x(value), self.width - text_width(text) / 2)
            parts.append(_text(at, self.y0 + 19, text, "tick middle"))
        parts.append(_text((self.x0 + self.x1) / 2, self.y0 + 40, self.chart.x_label, "axis middle"))
        return parts

    def _guide(self) -> str:
        places = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in self.chart.guide)
        return f'<polyline class="guide" points="{places}"/>' if places else ""

    def _mark(self, mark: Mark) -> str:
        x = self.x(mark.x)
        room = text_width(mark.label) / 2
        at = min(max(x, self.x0 + room), self.width - room - 2)
        line = f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{self.y1 - 8:g}" y2="{self.y0:g}"/>'
        return line + _text(at, self.y1 - 13, mark.label, "mark middle")

    def _band(self, one: Series) -> str:
        up = [f"{self.x(x):.1f},{self.y(high):.1f}" for x, _, high in one.band]
        down = [f"{self.x(x):.1f},{self.y(low):.1f}" for x, low, _ in reversed(one.band)]
        return f'<polygon class="band s{one.style % STYLES}" points="{" ".join(up + down)}"/>'

    def _line(self, one: Series) -> str:
        shape = f"s{one.style % STYLES} d{one.dash % 3}"
        parts = [f'<g class="{shape}"><title>{escape(one.label)}</title>']
        for piece in _pieces(one.points):
            places = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in piece)
            if len(piece) > 1:
                parts.append(f'<polyline class="line" points="{places}"/>')
            if len(one.points) <= _DENSE or len(piece) == 1:
                parts += [marker(one.style, self.x(x), self.y(y)) for x, y in piece]
        return "".join(parts) + "</g>"

    def _end_labels(self) -> list[str]:
        ends = [_last(one.points) for one in self.chart.series]
        shown = [(one, end) for one, end in zip(self.chart.series, ends, strict=True) if end]
        wanted = [self.y(end[1]) for _, end in shown]
        at = apart(wanted, _LINE, self.y1, self.y0)
        parts = []
        for (one, end), y, line_y in zip(shown, at, wanted, strict=True):
            x = self.x(end[0])
            path = f"M{x + 6:.1f},{line_y:.1f}L{self.x1 + 14:.1f},{y:.1f}"
            lead = f'<path class="lead s{one.style % STYLES}" d="{path}"/>'
            room = self.width - self.x1 - 20
            parts.append(
                lead + _text(self.x1 + 18, y + 4.5, fit(one.label, room), f"name s{one.style % STYLES}")
            )
        return parts

    def _legend(self) -> list[str]:
        parts, series = [], iter(self.chart.series)
        for row, labels in enumerate(self.legend):
            x, y = 8.0, 12.0 + row * _LINE
            for label, one in zip(labels, series, strict=False):
                parts.append(
                    f'<g class="s{one.style % STYLES} d{one.dash % 3}">'
                    f'<path class="line" d="M{x:.1f},{y:g}h20"/>{marker(one.style, x + 10, y)}</g>'
                )
                parts.append(_text(x + 26, y + 4.5, label, f"name s{one.style % STYLES}"))
                x += _legend_width(label)
        return parts


def _rounded(low: float, high: float) -> Linear:
    """A y axis that ends at a tick, so that the largest value keeps clear of the edge."""
    if flat(low, high):
        high = low + max(1.0, abs(low))
    step = pairwise(ticks(low, high, 5))
    gap = max((b - a for a, b in step), default=high - low)
    return Linear(low, gap * math.ceil(high / gap - 1e-9) if gap > 0 else high)


def _legend_width(label: str) -> float:
    return text_width(label) + 44


def _legend_rows(labels: Sequence[str], width: float) -> list[list[str]]:
    """Labels broken into rows that fit."""
    rows: list[list[str]] = []
    used = math.inf
    for label in (fit(label, width - 44) for label in labels):
        if used + _legend_width(label) > width:
            rows.append([])
            used = 0
        rows[-1].append(label)
        used += _legend_width(label)
    return rows


def _pieces(points: Sequence[Point]) -> list[list[tuple[float, float]]]:
    """The runs between the gaps."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None:
            pieces.append([])
        else:
            pieces[-1].append((x, y))
    return [piece for piece in pieces if piece]


def _last(points: Sequence[Point]) -> tuple[float, float] | None:
    return next(((x, y) for x, y in reversed(points) if y is not None), None)


def marker(style: int, x: float, y: float, r: float = 3.6) -> str:
    """The series' own sign: circle, square, triangle, diamond, ring, cross."""
    kind = style % STYLES
    if kind in (0, 4):
        ring = " ring" if kind == 4 else ""
        return f'<circle class="dot{ring}" cx="{x:.1f}" cy="{y:.1f}" r="{r:g}"/>'
    if kind == 5:
        d = 2 * r
        return f'<path class="line" d="M{x - r:.1f},{y - r:.1f}l{d:g},{d:g}m0,{-d:g}l{-d:g},{d:g}"/>'
    corners = {
        1: ((-r, -r), (r, -r), (r, r), (-r, r)),
        2: ((0, -r - 1), (r + 0.6, r), (-r - 0.6, r)),
        3: ((0, -r - 1.2), (r + 1.2, 0), (0, r + 1.2), (-r - 1.2, 0)),
    }[kind]
    places = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return f'<polygon class="dot" points="{places}"/>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def bar(value: float, low: float, high: float, *, style: int, title: str) -> str:
    """A small bar from 0 to 1 with its interval as a whisker."""
    w, h = 96, 14
    left, right = w * low, w * high
    return (
        f'<svg class="bar s{style % STYLES}" role="img" viewBox="0 0 {w} {h}" width="{w}" height="{h}">'
        f"<title>{escape(title)}</title>"
        f'<rect class="track" x="0" y="3" width="{w}" height="8" rx="2"/>'
        f'<rect class="fill" x="0" y="3" width="{w * value:.1f}" height="8" rx="{2 if value else 0}"/>'
        f'<path class="whisker" d="M{left:.1f},7H{right:.1f}M{left:.1f},4v6M{right:.1f},4v6"/></svg>'
    )


def stacked(charts: Sequence[LineChart], css: str, *, width: int = 760, height: int = 380) -> str:
    """Several charts under each other as one SVG file that carries its own style."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {(height + 28) * len(charts)}" '
        f'width="{width}" height="{(height + 28) * len(charts)}">',
        f"<style>{escape(css, quote=False)}</style>",
        '<rect class="paper" width="100%" height="100%"/>',
    ]
    for index, chart in enumerate(charts):
        top = index * (height + 28)
        parts.append(_text(8, top + 20, chart.title, "heading"))
        parts.append(chart.svg(width, height).replace("<svg ", f'<svg y="{top + 28}" ', 1))
    return "\n".join([*parts, "</svg>"]) + "\n"
