"""Templates filled in: every text is escaped, every name must exist."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from hauberk.reports.numbers import percent
from hauberk.serving.console.static_files import address
from hauberk.serving.console.words import Words

_STEPS = ((60_000, "time.now"), (3_600_000, "time.minutes"), (86_400_000, "time.hours"))
_UNITS_MS = {"time.minutes": 60_000, "time.hours": 3_600_000, "time.days": 86_400_000}
_WEEK_MS = 7 * 86_400_000


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("hauberk.serving.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(at=_at, ago=_ago, number=_number, short=_short, percent=percent, size=_size)
    made.globals["static"] = address
    return made


def render(name: str, /, **context: object) -> str:
    """A template's text, by its name without the ending."""
    return environment().get_template(f"{name}.html.jinja").render(**context)


def moment(words: Words, ms: int) -> str:
    """A moment in the viewer's words, UTC."""
    time = datetime.fromtimestamp(ms / 1000, UTC)
    month = words(f"month.{time.month}")
    return words("time.at", year=time.year, month=month, day=time.day, clock=time.strftime("%H:%M"))


def since(words: Words, ms: int, now_ms: int) -> str:
    """How long ago that was, or how far ahead it is; beyond a week the moment itself."""
    away = abs(now_ms - ms)
    if away >= _WEEK_MS:
        return moment(words, ms)
    key = next((name for limit, name in _STEPS if away < limit), "time.days")
    if key == "time.now":
        return words(key)
    return words.count(key if ms <= now_ms else f"{key}_ahead", away // _UNITS_MS[key])


@pass_context
def _at(context: Context, ms: int | None) -> str | Markup:
    """A moment; the script puts it into the viewer's own time zone."""
    if ms is None:
        return str(context["t"]("none"))
    return _time(ms, moment(context["t"], ms), 'class="at"')


@pass_context
def _ago(context: Context, ms: int | None) -> str | Markup:
    if ms is None:
        return str(context["t"]("none"))
    words = context["t"]
    return _time(ms, since(words, ms, context["now_ms"]), Markup('title="{}"').format(moment(words, ms)))


def _time(ms: int, text: str, more: str) -> Markup:
    exact = datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}" {}>{}</time>').format(exact, Markup(more), escape(text))  # noqa: S704


def _number(value: float) -> str:
    return f"{value:,}"


def _size(size_bytes: int) -> str:
    """In the largest unit of which there is one."""
    for power, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= power:
            return f"{size_bytes / power:.3g} {unit}"
    return f"{size_bytes} B"


def _short(digest: str) -> str:
    """The first twelve letters of a digest, enough to recognise it."""
    return digest.rpartition(":")[2][:12]
