"""Results as notebooks show them: a small card of HTML, with every text in it escaped and no script.

Jupyter asks an object for ``_repr_html_``; the objects answer with a ``Card`` that ``render`` writes. Where a
frontend drops style sheets (an untrusted notebook), the card stays readable as plain tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_FACTS, _ROWS, _COLUMNS, _LETTERS = 40, 12, 7, 71  # a digest has 71 letters
_NOT_SHOWN = ("gallery", "verdicts", "history", "rules")  # long, and for reports
_STYLE = """
.hauberk-card{border:1px solid rgba(128,128,128,.45);border-radius:6px;padding:.7em 1em;margin:.3em 0}
.hauberk-card{max-width:60em}
.hauberk-card h4{margin:0 0 .3em;font-size:1em}
.hauberk-card .figure{font-size:1.6em;font-weight:600}
.hauberk-card .soft{opacity:.72}
.hauberk-card .warn{border-left:3px solid #c94f00;padding-left:.6em;margin:.3em 0}
.hauberk-card .bar{position:relative;height:.55em;background:rgba(128,128,128,.2);border-radius:3px}
.hauberk-card .bar{margin:.45em 0 .6em}
.hauberk-card .bar i{position:absolute;top:0;bottom:0;background:rgba(0,114,178,.4)}
.hauberk-card .bar b{position:absolute;top:-.15em;bottom:-.15em;width:2px;background:#0072b2}
.hauberk-card table{border-collapse:collapse;margin:.4em 0;font-size:.92em}
.hauberk-card th,.hauberk-card td{text-align:left;padding:.12em .9em .12em 0;border:0;vertical-align:top}
.hauberk-card .scroll{overflow-x:auto}
.hauberk-card .pair{display:inline-block;margin:.3em .6em .1em 0;font-size:.85em}
.hauberk-card img{width:3.5em;height:3.5em;image-rendering:pixelated;margin:0 .15em 0 0;display:inline}
""".replace("\n", "")


@dataclass(frozen=True)
class Card:
    """What one result says.

    Args:
        heading: what it is of.
        figure, under: the one number that matters, as text, and what it is.
        bar: ``(low, value, high)`` in [0, 1], drawn as a line with its interval.
        facts: names with values.
        tables: ``(title, columns, rows)``.
        warnings: why figures may mislead.
        pairs: pictures as data URIs, two of them side by side over a line of text.
    """

    heading: str
    figure: str = ""
    under: str = ""
    bar: tuple[float, float, float] | None = None
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]], ...] = ()
    warnings: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str, str], ...] = ()


def render(card: Card) -> str:
    """One ``div``; what stands in the card is shown as it is, never acted on."""
    parts = [f"<style>{_STYLE}</style><div class='hauberk-card'><h4>{escape(card.heading)}</h4>"]
    if card.figure:
        under = f"<span class='soft'>{escape(card.under)}</span>"
        parts.append(f"<div><span class='figure'>{escape(card.figure)}</span> {under}</div>")
    if card.bar is not None:
        low, value, high = (100 * min(max(one, 0.0), 1.0) for one in card.bar)
        span = f"<i style='left:{low:.2f}%;width:{max(high - low, 0):.2f}%'></i>"
        parts.append(f"<div class='bar' aria-hidden='true'>{span}<b style='left:{value:.2f}%'></b></div>")
    parts += [f"<div class='warn'>{escape(one)}</div>" for one in card.warnings]
    if card.pairs:
        parts.append("<div>" + "".join(_pair(*one) for one in card.pairs) + "</div>")
    if card.facts:
        parts.append(_table("", (), card.facts, most=_FACTS))
    parts += [_table(*one) for one in card.tables]
    return "".join([*parts, "</div>"])


def _pair(first: str, second: str, text: str) -> str:
    images = "".join(
        f"<img src='{escape(one, quote=True)}' alt=''>"
        for one in (first, second)
        if one.startswith("data:image/png;")
    )
    return f"<div class='pair'>{images}<br>{escape(text)}</div>"


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], most: int = _ROWS) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(one)}</td>" for one in row) + "</tr>" for row in rows[:most])
    more = f"<div class='soft'>and {len(rows) - most} more</div>" if len(rows) > most else ""
    named = f"<div class='soft'>{escape(title)}</div>" if title else ""
    return f"{named}<div class='scroll'><table>{f'<tr>{head}</tr>' if head else ''}{body}</table></div>{more}"


def brief(value: Any) -> str:
    """A scalar as a person reads it; ``–`` for None."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else str(value)
    text = " ".join(str(value).split())
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"


def facts_of(found: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """The scalars of a JSON object, those of inner objects too, and lists of a few numbers."""
    facts: list[tuple[str, str]] = []
    for key, value in found.items():
        name = f"{prefix}{key}".replace("_", " ")
        if key in _NOT_SHOWN:
            continue
        if isinstance(value, Mapping):
            facts += facts_of(value, f"{prefix}{key} ")
        elif not isinstance(value, list):
            facts.append((name, brief(value)))
        elif value and len(value) <= 4 and all(isinstance(one, int | float) for one in value):
            facts.append((name, ", ".join(map(brief, value))))
    return facts


def tables_of(found: Mapping[str, Any]) -> list[tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]]:
    """The lists of objects in a JSON object, each by what all of its rows say in one word or number."""
    tables = []
    for key, rows in found.items():
        whole = isinstance(rows, list) and rows and all(isinstance(one, Mapping) for one in rows)
        if key in _NOT_SHOWN or not whole:
            continue
        simple = [
            name
            for name in rows[0]
            if all(name in one and not isinstance(one[name], Mapping | list) for one in rows)
        ][:_COLUMNS]
        if simple:
            names = tuple(name.replace("_", " ") for name in simple)
            cells = tuple(tuple(brief(one[name]) for name in simple) for one in rows)
            tables.append((key.replace("_", " "), names, cells))
    return tables
