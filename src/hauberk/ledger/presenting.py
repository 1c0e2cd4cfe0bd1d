"""Files that somebody has: a document and the entry that it became, a proof, an older head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hauberk.core.errors import DataError, IntegrityError
from hauberk.core.files import read_bytes
from hauberk.crypto.notes import Checkpoint, Note
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.documents import file_entry
from hauberk.ledger.hashing import leaf_hash
from hauberk.ledger.policy import Policy
from hauberk.ledger.proof import Continuation, Proof, parse_proof
from hauberk.ledger.reading import Reader


def read_proof(path: str | Path) -> Proof | Continuation:
    """A proof of either kind; nothing is verified.

    Raises:
        IntegrityError: the file is none.
    """
    data = read_bytes(path, what="proof")
    with _named(path):
        return parse_proof(data)


def read_checkpoint(path: str | Path) -> Note:
    """A head that somebody kept; nothing is verified.

    Raises:
        IntegrityError: the file is none.
    """
    data = read_bytes(path, what="checkpoint")
    with _named(path):
        note = Note.parse(data)
        peek(note)
    return note


def find_file(log: Reader, path: str | Path) -> int:
    """The number of the entry that a file became; where its digest is salted, by what opens it beside the log.

    Raises:
        DataError: it is not in the log, or no file that a ledger takes.
    """
    entry = file_entry(path)
    found = log.find(leaf_hash(entry.data))
    if found is None and entry.openings and entry.subject is not None:
        facts = {name: one.fact for name, one in entry.openings.items()}
        for number in log.about(entry.subject):
            if {name: one.fact for name, one in log.openings(number).items()} == facts:
                return number
    if found is None:
        raise DataError(f"{path} is not in {log.where}", hint="hauberk ledger append logs it")
    return found


def verify_file(proof: Proof, path: str | Path, policy: Policy) -> Checkpoint:
    """Check that a log holds this file: its very bytes, or the statement that speaks of it.

    Returns:
        The head that shows it.

    Raises:
        IntegrityError: it holds neither at the place that the proof names, or the head is not believed.
    """
    data = read_bytes(path, what="entry")
    try:
        return proof.verify(data, policy)
    except IntegrityError:
        statement = _statement(path)
        if statement in (None, data):
            raise
    return proof.verify(statement or b"", policy)


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise IntegrityError(f"{path}: {error}") from None


def _statement(path: str | Path) -> bytes | None:
    """What the log would say of a file, or None where that is nothing, or salted anew each time."""
    try:
        entry = file_entry(path)
    except DataError:
        return None
    return None if entry.openings else entry.data
