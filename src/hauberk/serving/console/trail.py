"""The audit trail: looked through, compared with the ledger, handed out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import StreamingResponse

from hauberk.access import check_trail
from hauberk.access.trail.checking import Checked
from hauberk.access.trail.counting import by_hour, failed_entries, not_covered
from hauberk.access.trail.line import Line
from hauberk.access.trail.ocsf import ENTER, event
from hauberk.access.trail.reading import Filter, lines
from hauberk.access.words import ACTIONS
from hauberk.core.database import Database
from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.serving.console.bars import Bars, bars
from hauberk.serving.console.pages import Act, Asked, Concern, Done, Form, Page, Shown
from hauberk.serving.console.viewer import Viewer

ON_A_PAGE = 50
_DAY_MS = 86_400_000
_MANY = 10  # attempts to enter in a day that failed, from which on somebody should look
_LATE_MS = 15 * 60_000
_FIELDS = ("who", "model", "action", "answer", "since", "until")


@dataclass(frozen=True)
class Trail:
    """Args:
    lines: the newest that fit, newest first.
    older: the query of the next page; None where there is none.
    query: of this search, for the export.
    searched: whether something was asked for.
    waiting: lines that the ledger has yet to cover.
    """

    lines: tuple[Line, ...]
    older: str | None
    query: str
    searched: bool
    actions: tuple[str, ...]
    activity: Bars
    waiting: int


@dataclass(frozen=True)
class Verified:
    """Args:
    checked: what was found to be in order; None where something is not, and ``refusal`` says what.
    """

    checked: Checked | None
    refusal: IntegrityError | None


def _filter(asked: Asked) -> Filter:
    """Raises:
    ConfigError: a day or a number that is none.
    """
    query = asked.query
    until = _day(query["until"])
    return Filter(
        who=query["who"] or None,
        model=query["model"] or None,
        action=query["action"] or None,
        allowed={"allowed": True, "refused": False}.get(query["answer"]),
        since=_day(query["since"]),
        until=None if until is None else until + timedelta(days=1),
        below=_number(query["below"]),
    )


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(f"{text[:40]!r} is no day", hint="such as 2026-01-31") from None


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ConfigError(f"{text[:40]!r} is no number of a line")
    return int(text)


def _view(viewer: Viewer, asked: Asked) -> Trail:
    database = viewer.vault.database
    found = [one for one, _hash in lines(database, _filter(asked), newest=ON_A_PAGE + 1)][::-1]
    given = {name: asked.query[name] for name in _FIELDS if asked.query[name]}
    older = urlencode({**given, "below": found[ON_A_PAGE - 1].number}) if len(found) > ON_A_PAGE else None
    return Trail(
        tuple(found[:ON_A_PAGE]),
        older,
        urlencode(given),
        bool(given),
        (*ACTIONS, ENTER),
        activity(viewer),
        not_covered(database)[0],
    )


def activity(viewer: Viewer) -> Bars:
    """Answers of the last day, hour by hour."""
    hours = by_hour(viewer.vault.database, viewer.now_ms, 24)
    return bars([(one.begin_ms, one.allowed, one.refused) for one in hours])


def _verify(viewer: Viewer, _asked: Asked, _form: Form) -> Shown:
    try:
        return Shown("verified", Verified(check_trail(viewer.vault), None))
    except IntegrityError as error:
        return Shown("verified", Verified(None, error))


def _publish(viewer: Viewer, _asked: Asked, _form: Form) -> Done:
    publisher = viewer.inside.access.publisher
    if publisher is not None:
        publisher.publish()
    return Done("published")


def _export(viewer: Viewer, asked: Asked) -> StreamingResponse:
    wanted, ocsf = _filter(asked), asked.query["format"] != "lines"
    name = "trail.ocsf.jsonl" if ocsf else "trail.jsonl"
    return StreamingResponse(
        _rows(viewer.vault.database, wanted, ocsf),
        media_type="application/jsonl",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _rows(database: Database, wanted: Filter, ocsf: bool) -> Iterator[bytes]:
    for line, digest in lines(database, wanted):
        row = event(line) if ocsf else {**line._asdict(), "hash": digest.hex()}
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _concerns(viewer: Viewer) -> Sequence[Concern]:
    database, present = viewer.vault.database, viewer.now_ms
    found = []
    failed = failed_entries(database, present - _DAY_MS)
    if failed >= _MANY:
        day = datetime.fromtimestamp((present - _DAY_MS) / 1000, UTC).strftime("%Y-%m-%d")
        to = f"/trail?action={ENTER}&answer=refused&since={day}"
        found.append(Concern("warn", "trail.strangers", to, {"count": failed}))
    waiting, oldest = not_covered(database)
    if oldest is not None and present - oldest > _LATE_MS:
        found.append(Concern("warn", "trail.late", "/trail", {"count": waiting}))
    return found


PAGE = Page(
    name="trail",
    path="/trail",
    view=_view,
    action="audit.read",
    detail=lambda _asked: "read the trail",
    acts={
        "verify": Act(_verify, "audit.read", lambda _asked, _form: "verify the trail"),
        "publish": Act(_publish, "audit.read", lambda _asked, _form: "publish the trail's head"),
    },
    concerns=_concerns,
)
EXPORT = Page(
    name="trail_export",
    path="/trail/export",
    view=_export,
    action="audit.read",
    under="trail",
    detail=lambda _asked: "export the trail",
)
