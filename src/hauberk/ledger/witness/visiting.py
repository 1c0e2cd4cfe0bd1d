"""A witness without a server: it reads the newest head where the log is published, and cosigns it."""

from __future__ import annotations

from http import HTTPStatus

from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.crypto.notes import Signature, parse_signatures
from hauberk.ledger import merkle
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.reading import Reader
from hauberk.ledger.witness.judging import Witness
from hauberk.ledger.witness.protocol import Request


def visit(witness: Witness, log: Reader) -> tuple[bytes, tuple[Signature, ...]]:
    """Look at a log once.

    Returns:
        Its newest head, and the witness' cosignatures on it.

    Raises:
        ConfigError: the witness does not watch this log.
        IntegrityError: the head does not continue the last one that the witness cosigned, or is not the log's.
    """
    checkpoint = log.head()
    head = peek(checkpoint)
    last = witness.last(head.origin)
    proof = merkle.consistency(last.size, head.size, log.hashes) if last.size < head.size else ()
    reply = witness.add_checkpoint(bytes(Request(min(last.size, head.size), proof, checkpoint)))
    if reply.status == HTTPStatus.OK:
        return checkpoint, parse_signatures(reply.body)
    if reply.status == HTTPStatus.NOT_FOUND:
        raise ConfigError(f"{head.origin} is no log that this witness watches", hint="--log VKEY")
    why = {
        HTTPStatus.FORBIDDEN: "no known key of the log signed it",
        HTTPStatus.CONFLICT: f"another one, of {last.size} entries, was cosigned before",
        HTTPStatus.UNPROCESSABLE_ENTITY: f"it does not continue the last one, of {last.size} entries",
    }.get(reply.status, reply.body.decode().strip())
    raise IntegrityError(f"the head of {head.origin} at {head.size} entries is not cosigned: {why}")
