"""The trail read again, and compared with what the ledger was told.

Nothing of what writes the trail is used here: the fields of a line, their form and the chain are written out a
second time, from ``docs/access.md``, so that a mistake there is found and not repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import RowMapping, text

from hauberk.core.canonical import canonical_bytes
from hauberk.core.database import Database
from hauberk.core.errors import HauberkError, IntegrityError
from hauberk.ledger.auditing import audit
from hauberk.ledger.policy import Policy
from hauberk.ledger.published import PublishedLog
from hauberk.ledger.statements import Statement
from hauberk.ledger.store.log import Log

_FIELDS = ("number", "time_ms", "request", "who", "how", "source",
           "action", "model", "version", "detail", "allowed", "why")  # fmt: skip
_REMOVAL = "remove the trail's lines to "
_AT_ONCE = 1_000
_LINES = text(f"SELECT {', '.join(_FIELDS)}, hash FROM access_trail ORDER BY number")  # noqa: S608 (names above)


@dataclass(frozen=True)
class Checked:
    """What was found to be in order.

    Args:
        first: the oldest line that was kept; those before it were removed by somebody who may.
        last: the newest line; one less than ``first`` where there is none.
        covered: the last line that the ledger covers. What comes after it is only as safe as the database.
        batches: statements of the ledger that were compared.
        size: entries of the ledger that was compared with.
    """

    first: int
    last: int
    covered: int
    batches: int
    size: int


@dataclass(frozen=True)
class _Batch:
    first: int
    last: int
    head: bytes
    entry: int


def check(
    database: Database, start: bytes, log: Log | PublishedLog, policy: Policy, since: bytes | None = None
) -> Checked:
    """Read the whole trail and the whole ledger.

    Args:
        start: the 32 bytes before the first line, made from the vault's key.
        policy: whose heads of the ledger are believed; ``since`` an older one that somebody kept.

    Raises:
        IntegrityError: a line was changed, removed, added or moved; or the ledger was, see ``ledger.audit``.

    Cost: all lines and all entries once, each in batches.

    Limits: lines after the last batch can be rewritten by whoever writes to the database and has the vault's
    key. Whoever has the ledger's key too can rewrite both, which only a kept head or a witness shows.
    """
    head = audit(log, policy, since).head
    told = list(_batches(log, head.size, start))
    at = {one.last: one for one in told}
    with database.read() as connection:
        state = (
            connection.execute(text("SELECT number, hash, first, before FROM access_state")).mappings().one()
        )
        number, before = _beginning(state, start, at)
        removal = None
        found = connection.execution_options(yield_per=_AT_ONCE).execute(_LINES)
        with closing(found):
            for row in found.mappings():
                number += 1
                before = _follow(row, number, before, at)
                if row["action"] == "vault.admin" and row["allowed"] and row["detail"].startswith(_REMOVAL):
                    removal = row["detail"]
    if number != state["number"] or before != (_octets(state["hash"]) or start):
        raise IntegrityError(f"the trail ends after line {number}, and should with line {state['number']}")
    covered = max(at, default=0)
    if covered > number:
        raise IntegrityError(
            f"the trail ends with line {number}, and the ledger covers {covered}: it was cut short"
        )
    if state["first"] > 1 and removal != f"{_REMOVAL}{state['first'] - 1}":
        raise IntegrityError(f"lines before {state['first']} are not there, and nobody who may removed them")
    return Checked(state["first"], number, covered, len(told), head.size)


def _beginning(state: RowMapping, start: bytes, at: Mapping[int, _Batch]) -> tuple[int, bytes]:
    """The line before the oldest one that was kept, and the hash after it, which the ledger knows."""
    if state["first"] == 1:
        return 0, start
    last, before = state["first"] - 1, _octets(state["before"])
    if last not in at or at[last].head != before:
        raise IntegrityError(f"the trail begins after line {last}, where no batch of the ledger ends")
    return last, before


def _follow(row: RowMapping, number: int, before: bytes, at: Mapping[int, _Batch]) -> bytes:
    """The hash after a line, which must be the one that is stored and the one that the ledger was told."""
    if row["number"] != number:
        raise IntegrityError(f"line {number} of the trail is not there: the next is {row['number']}")
    fields = [bool(row[one]) if one == "allowed" else row[one] for one in _FIELDS]
    try:
        found = hashlib.sha256(before + canonical_bytes(fields)).digest()
    except HauberkError:
        found = b""  # something that never was a line
    if found != _octets(row["hash"]):
        raise IntegrityError(f"line {number} of the trail was changed, moved, or put in later", line=number)
    if number in at and at[number].head != found:
        raise IntegrityError(
            f"line {number} of the trail or one before it was changed: entry {at[number].entry} of the ledger "
            "says otherwise",
            line=number,
        )
    return found


def _batches(log: Log | PublishedLog, size: int, start: bytes) -> Iterator[_Batch]:
    """What the ledger was told of this trail, by whose hash of the start it is known."""
    own = hashlib.sha256(b"hauberk access trail\n" + start).hexdigest()[:32]
    for number, data in enumerate(log.entries(0, size)):
        said = Statement.parse(data) if b'"access-batch"' in data else None
        if said is None or said.kind != "access-batch" or said.facts.get("trail") != own:
            continue
        first, count = said.facts.get("first"), said.facts.get("count")
        digest = (said.document or "").removeprefix("sha256:")
        if not isinstance(first, int) or not isinstance(count, int) or len(digest) != 64:
            raise IntegrityError(f"entry {number} of the ledger is no batch of the trail")
        yield _Batch(first, first + count - 1, bytes.fromhex(digest), number)


def _octets(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else b""
