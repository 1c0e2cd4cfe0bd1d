"""Yes and no, hour by hour, as bars: drawn on the server, once for wide windows and once for phones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 2, 14, 24
_STEPS = (1, 2, 4)


@dataclass(frozen=True)
class Bars:
    """Args:
    wide, narrow: SVG.
    rows: the figures: when an hour began (POSIX milliseconds), how many yes, how many no.
    """

    wide: Markup
    narrow: Markup
    rows: tuple[tuple[int, int, int], ...]

    @property
    def allowed(self) -> int:
        return sum(one[1] for one in self.rows)

    @property
    def refused(self) -> int:
        return sum(one[2] for one in self.rows)


def bars(rows: Sequence[tuple[int, int, int]]) -> Bars:
    """A chart of them."""
    return Bars(_drawn(rows, 760, 180, "wide", every=4), _drawn(rows, 360, 160, "narrow", every=6), tuple(rows))


def top_of(most: int) -> int:
    """The end of the scale: 1, 2 or 4 and noughts, and at least 4 so that halves are whole."""
    scale = 1
    while True:
        for step in _STEPS:
            if step * scale >= max(4, most):
                return step * scale
        scale *= 10


def _drawn(rows: Sequence[tuple[int, int, int]], width: int, height: int, kind: str, *, every: int) -> Markup:
    top = top_of(max((yes + no for _, yes, no in rows), default=0))
    base, room = height - _BOTTOM, height - _BOTTOM - _TOP
    step = (width - _LEFT - _RIGHT) / max(1, len(rows))
    pieces = []
    for value in (0, top // 2, top):
        y = base - room * value / top
        pieces.append(f'<line x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        pieces.append(f'<text class="end" x="{_LEFT - 8}" y="{y + 4:.1f}">{value:,}</text>')
    for number, (begin, yes, no) in enumerate(rows):
        x, above = _LEFT + step * number, float(base)
        for count, answer in ((yes, "yes"), (no, "no")):
            tall = room * count / top
            if count:
                above -= tall
                pieces.append(
                    f'<rect class="{answer}" x="{x + step * 0.14:.1f}" y="{above:.1f}" '
                    f'width="{step * 0.72:.1f}" height="{tall:.1f}" rx="1"/>'
                )
        hour = datetime.fromtimestamp(begin / 1000, UTC).hour
        if hour % every == 0:
            pieces.append(f'<text class="middle" x="{x + step / 2:.1f}" y="{height - 6}">{hour:02}:00</text>')
    return Markup(  # noqa: S704 numbers alone
        f'<svg class="chart bars {kind}" viewBox="0 0 {width} {height}" aria-hidden="true">'
        f"{''.join(pieces)}</svg>"
    )
