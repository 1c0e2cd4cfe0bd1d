"""Where an anchor lies, and what it vouches for: plain files, each of which the anchor's own tools can read.

    000000001000-3f2a9c10.checkpoint            the head, signed by the log alone
    000000001000-3f2a9c10.checkpoint.evm.json   in which transaction it stands
    000000001000-3f2a9c10.checkpoint.tsr        an RFC 3161 answer; ``openssl ts -verify -data`` reads both
    000000001000-3f2a9c10.checkpoint.ots        an OpenTimestamps proof; ``ots verify`` reads both

The number is the size of the log, the letters the beginning of its root hash. Cosignatures are left out: they
come later than the head, and what is anchored must be the same bytes for everybody.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hauberk.core.canonical import parse_json
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.files import read_bytes, write_atomic
from hauberk.crypto.notes import Note
from hauberk.ledger.checkpoint import peek

SCHEMA = "hauberk-anchor/1"
SUFFIXES = {"evm": ".evm.json", "rfc3161": ".tsr", "ots": ".ots"}
_HEAD = ".checkpoint"


@dataclass(frozen=True)
class Anchored:
    """What a checked anchor shows.

    Args:
        kind: ``evm``, ``rfc3161`` or ``ots``.
        existed_by: the checkpoint existed then, in UTC.
        witness: who says so, in words.
        facts: for programs.
    """

    kind: str
    existed_by: datetime
    witness: str
    facts: Mapping[str, Any]


def bare(checkpoint: bytes) -> bytes:
    """A checkpoint with the log's own signatures only: those whose key bears the log's name.

    Raises:
        IntegrityError: not a checkpoint.
        DataError: the log's key has another name, so that its signature cannot be told apart.
    """
    note = Note.parse(checkpoint)
    origin = peek(note).origin
    own = tuple(one for one in note.signatures if one.name == origin)
    if not own:
        raise DataError(f"no signature on the head bears the log's name, {origin}")
    return bytes(Note(note.text, own))


def save(folder: str | Path, checkpoint: bytes, kind: str, receipt: bytes) -> Path:
    """Write the head and its receipt; the head first, so that no receipt is left without it.

    A second anchor of one kind for one head gets ``-2`` behind its name.
    """
    head = peek(checkpoint)
    stem = f"{head.size:012d}-{head.root[:4].hex()}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    paths = (Path(folder) / f"{name}{_HEAD}{SUFFIXES[kind]}" for name in names)
    path = next(one for one in paths if not one.exists())
    write_atomic(head_of(path), checkpoint)
    return write_atomic(path, receipt)


def head_of(receipt: str | Path) -> Path:
    """The file of the head that a receipt stands beside."""
    receipt = Path(receipt)
    return receipt.with_name(receipt.name.removesuffix(SUFFIXES[kind_of(receipt)]))


def kind_of(receipt: str | Path) -> str:
    """Which kind of anchor a file is, by its name.

    Raises:
        ConfigError: it bears none of the endings.
    """
    name = Path(receipt).name
    found = [kind for kind, suffix in SUFFIXES.items() if name.endswith(suffix)]
    if not found:
        raise ConfigError(
            f"{receipt} is no receipt of an anchor", hint=f"they end in {', '.join(SUFFIXES.values())}"
        )
    return found[0]


def read_head(receipt: str | Path) -> bytes:
    """The bytes of the head beside a receipt."""
    return read_bytes(head_of(receipt), what="checkpoint that was anchored")


def to_json(fields: Mapping[str, Any]) -> bytes:
    """The receipt of a chain."""
    return json.dumps({"schema": SCHEMA, **fields}, indent=1).encode() + b"\n"


def from_json(data: bytes, *, where: str) -> dict[str, Any]:
    """Read what ``to_json`` wrote.

    Raises:
        DataError: it is something else.
    """
    document = parse_json(data, where=where)
    wanted = {"schema": str, "chain_id": int, "transaction": str, "account": str}
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise DataError(f"{where} is not a {SCHEMA} document")
    for name, kind in wanted.items():
        if not isinstance(document.get(name), kind):
            raise DataError(f"{where} lacks '{name}', or it is of another kind")
    return document
