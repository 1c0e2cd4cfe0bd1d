"""Proofs out of a log, wherever it lies.

What is made here is checked once against the head before it is handed out, so that a log whose stored tree was
changed says so and gives no proof. That spares a surprise; whoever receives the proof checks it himself.
"""

from __future__ import annotations

from collections.abc import Iterator

from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.crypto.notes import Note
from hauberk.ledger import merkle
from hauberk.ledger.checking import verify_consistency, verify_inclusion
from hauberk.ledger.checkpoint import Checkpoint, peek
from hauberk.ledger.hashing import leaf_hash
from hauberk.ledger.policy import Policy
from hauberk.ledger.proof import Continuation, Proof
from hauberk.ledger.reading import Reader


def prove_inclusion(log: Reader, index: int, policy: Policy | None = None) -> Proof:
    """The proof that entry ``index`` is in the log.

    Args:
        policy: take the newest head that it believes, which may be older than the newest one, whose witnesses
            have yet to answer.

    Raises:
        ConfigError: there is no such entry, or no head over it that the policy believes.
        IntegrityError: the log does not hold what its head says.
    """
    for note in _heads(log, policy):
        head = peek(note)
        if 0 <= index < head.size:
            proof = merkle.inclusion(index, head.size, log.hashes)
            verify_inclusion(leaf_hash(log.entry(index)), index, head.size, proof, head.root)
            return Proof(index, proof, note)
    raise _none(f"over entry {index}", log, policy)


def prove_consistency(log: Reader, old: int | Checkpoint, policy: Policy | None = None) -> Continuation:
    """The proof that the log continues an older head.

    Args:
        old: that head, or its size.
        policy: as for ``prove_inclusion``.

    Raises:
        ConfigError: no head that the policy believes is as large.
        IntegrityError: the log does not continue the older head, or does not hold what its own says.
    """
    size = old if isinstance(old, int) else old.size
    if size < 0:
        raise ConfigError(f"the size of an older head is 0 or more, got {size}")
    if isinstance(old, Checkpoint):
        _check_older(log, old)
    for note in _heads(log, policy):
        head = peek(note)
        if size <= head.size:
            proof = merkle.consistency(size, head.size, log.hashes)
            before = old.root if isinstance(old, Checkpoint) else merkle.root(size, log.hashes)
            verify_consistency(size, before, head.size, head.root, proof)
            return Continuation(size, proof, note)
    raise _none(f"of {size} entries or more", log, policy)


def _check_older(log: Reader, old: Checkpoint) -> None:
    newest = peek(log.head())
    if newest.origin != old.origin:
        raise DataError(f"the older head is of {old.origin}, and {log.where} is {newest.origin}")
    if old.size > newest.size:
        raise IntegrityError(f"{log.where} has {newest.size} entries and had {old.size}: it was cut short")


def _heads(log: Reader, policy: Policy | None) -> Iterator[Note]:
    """The heads to prove against, best first."""
    newest = log.head()
    if policy is None:
        yield Note.parse(newest)
        return
    for data in dict.fromkeys((newest, *reversed(log.cosigned_heads()))):
        note = Note.parse(data)
        try:
            policy.check(note)
        except IntegrityError:
            continue
        yield note


def _none(what: str, log: Reader, policy: Policy | None) -> ConfigError:
    believed = "" if policy is None else " that the policy believes"
    return ConfigError(
        f"{log.where} has no head {what}{believed}; the newest has {peek(log.head()).size} entries",
        hint="ask the witnesses to cosign it" if policy is not None else None,
    )
