"""A monitor: it reads a log entry by entry as it grows, and remembers the last head that it saw.

A witness sees heads alone; a monitor sees that every entry is in the tree which the heads sign, and what is in
the entries. What it keeps between two looks is one file: the last signed head, and the hashes at the tree's
edge, from which new entries are hashed on without anything of the log's own tree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.core.canonical import parse_json
from hauberk.core.errors import DataError, IntegrityError
from hauberk.core.files import read_bytes, write_atomic
from hauberk.crypto.notes import Checkpoint
from hauberk.ledger import forks, merkle
from hauberk.ledger.checking import verify_consistency
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.hashing import EMPTY_ROOT, leaf_hash, node_hash
from hauberk.ledger.policy import Policy
from hauberk.ledger.reading import Reader

SCHEMA = "hauberk-monitor/1"


@dataclass(frozen=True)
class Sighting:
    """An entry that speaks of something that is watched for."""

    entry: int
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """What one look at a log found in order.

    Args:
        head: the newest head.
        before: the number of entries at the last look; 0 at the first.
        sightings: among the entries since.
    """

    head: Checkpoint
    before: int
    sightings: tuple[Sighting, ...]


class Edge:
    """The complete subtrees that cover a tree, the largest first; entries are hashed in one after the other."""

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size, self.hashes = size, list(hashes)
        if len(self.hashes) != size.bit_count():
            raise IntegrityError(f"{len(self.hashes)} hashes do not cover a tree of {size}")

    def add(self, leaf: bytes) -> None:
        """One more leaf, by its hash: as many subtrees merge as the size has ones at its end."""
        value, size = leaf, self.size
        while size & 1:
            value, size = node_hash(self.hashes.pop(), value), size >> 1
        self.hashes.append(value)
        self.size += 1

    @property
    def root(self) -> bytes:
        if not self.hashes:
            return EMPTY_ROOT
        value = self.hashes[-1]
        for one in reversed(self.hashes[:-1]):
            value = node_hash(one, value)
        return value


def look(log: Reader, state: str | Path, policy: Policy, *, watch: Sequence[str] = ()) -> Look:
    """Read what is new in a log, and compare it with what was seen before.

    Args:
        state: the monitor's file; without one this is the first look, which reads the whole log.
        policy: whose heads are believed, and how many witnesses must have cosigned.
        watch: names or digests; entries in which one stands as a whole JSON string are reported.

    Raises:
        IntegrityError: the head is not believed; the log has forked, was cut short or rewritten since the last
            look; or an entry is not what the tree says. Where two heads of the log contradict each other, both
            are written out beside ``state`` first, and ``facts["evidence"]`` names the folder.
        DataError: ``state`` is not a monitor's file.

    Cost: each entry is read once, ever; memory for 256 of them.

    Limits: it sees the log that it is shown. Only witnesses that others ask too, or heads compared with
    others', show that others see the same. Salted digests and names cannot be watched for.
    """
    note = log.head()
    head = policy.check(note)
    last, edge = _load(Path(state))
    if last:
        _compare(log, peek(last), head, last, note, Path(state).parent)
    before = edge.size
    sightings = []
    for number, entry in enumerate(log.entries(before, head.size), before):
        edge.add(leaf_hash(entry))
        terms = _terms(entry, watch)
        if terms:
            sightings.append(Sighting(number, terms))
    if (edge.size, edge.root) != (head.size, head.root):
        raise _wrong_entry(log, before, head)
    _save(Path(state), note, edge)
    return Look(head, before, tuple(sightings))


def _compare(
    log: Reader, last: Checkpoint, head: Checkpoint, first: bytes, second: bytes, folder: Path
) -> None:
    """The head must continue the last one."""
    if head.origin != last.origin:
        raise IntegrityError(f"{log.where} was {last.origin} at the last look, and is now {head.origin}")
    # what the log cannot look up is damage, and no fork
    proof = merkle.consistency(last.size, head.size, log.hashes) if last.size <= head.size else ()
    try:
        verify_consistency(last.size, last.root, head.size, head.root, proof)
    except IntegrityError as error:
        where = forks.keep(folder, first, second)
        raise IntegrityError(
            f"{head.origin} no longer is the log that was seen before: {error}",
            hint=f"both signed heads are in {where}: show them to others",
            evidence=str(where),
        ) from error


def _wrong_entry(log: Reader, start: int, head: Checkpoint) -> IntegrityError:
    """Which entry is not what the tree says."""
    for number, entry in enumerate(log.entries(start, head.size), start):
        if log.hashes(0, number) != leaf_hash(entry):
            return IntegrityError(f"entry {number} is not what the head of {head.size} entries covers")
    return IntegrityError(f"the entries from {start} are not those that the head of {head.size} entries covers")


def _terms(entry: bytes, watch: Sequence[str]) -> tuple[str, ...]:
    if not watch:
        return ()
    try:
        strings = set(_strings(parse_json(entry, where="entry")))
    except DataError:
        return tuple(one for one in watch if one.encode() in entry)
    return tuple(one for one in watch if one in strings)


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _load(path: Path) -> tuple[bytes, Edge]:
    """The last head as it was signed (empty before the first look), and the edge of its tree."""
    if not path.exists():
        return b"", Edge()
    document = parse_json(read_bytes(path, what="state of a monitor"), where=str(path))
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise DataError(f"{path} is not a {SCHEMA} document")
    try:
        note = document["checkpoint"].encode()
        head = peek(note)
        edge = Edge(head.size, [bytes.fromhex(one) for one in document["edge"]])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} is malformed: {error}") from error
    if edge.root != head.root:
        raise IntegrityError(f"{path} was changed: its hashes do not belong to its head")
    return note, edge


def _save(path: Path, note: bytes, edge: Edge) -> None:
    document = {"schema": SCHEMA, "checkpoint": note.decode(), "edge": [one.hex() for one in edge.hashes]}
    write_atomic(path, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")
