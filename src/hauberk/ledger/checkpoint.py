"""Heads of a log: checkpoints in signed notes (c2sp.org/tlog-checkpoint)."""

from __future__ import annotations

from collections.abc import Iterable

from hauberk.core.clock import Clock, now
from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.crypto.notes import Checkpoint, Note, Signer, Verifier, verify

__all__ = ["Checkpoint", "open_checkpoint", "peek", "sign_checkpoint"]


def sign_checkpoint(head: Checkpoint, signers: Iterable[Signer], *, clock: Clock = now) -> Note:
    """The head as its log signs it.

    Raises:
        ConfigError: no key, or one whose name is not the log's.
    """
    signatures = []
    for one in signers:
        if one.name != head.origin:
            raise ConfigError(f"the key of {one.name} does not sign heads of {head.origin}")
        signatures.append(one.sign(head.text, clock=clock))
    return Note(head.text, tuple(signatures))


def open_checkpoint(signed: bytes | Note, logs: Iterable[Verifier]) -> Checkpoint:
    """The head that a note holds, if one of these logs has signed it as its own.

    Raises:
        IntegrityError: it is none, none of them signed it, or it speaks of another log than its signer.
    """
    note = signed if isinstance(signed, Note) else Note.parse(signed)
    head = Checkpoint.parse(note.text)
    verified = verify(note, logs)
    if not any(one.verifier.name == head.origin for one in verified):
        raise IntegrityError(f"the head speaks of the log {head.origin}, and that log's key did not sign it")
    return head


def peek(signed: bytes | Note) -> Checkpoint:
    """What a note says, before anybody is asked whether it is true: for finding the key to verify it with.

    Raises:
        IntegrityError: it is no checkpoint.
    """
    return Checkpoint.parse((signed if isinstance(signed, Note) else Note.parse(signed)).text)
