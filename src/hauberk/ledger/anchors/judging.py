"""What an anchor is worth: it holds, the log signed what it holds, and the log of today continues it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.core.files import read_bytes
from hauberk.crypto.notes import Checkpoint
from hauberk.ledger import merkle
from hauberk.ledger.anchors import evm_checking, ots_checking, receipts, rfc3161_checking
from hauberk.ledger.anchors.receipts import Anchored
from hauberk.ledger.checking import verify_consistency
from hauberk.ledger.policy import Policy
from hauberk.ledger.reading import Reader


@dataclass(frozen=True)
class Sources:
    """Whom to ask, and whom to believe, about each kind of anchor.

    Args:
        evm: a node of the chain, with ``confirmations`` blocks that must stand on the transaction.
        ca_file: the certificates of a time-stamping authority.
        bitcoin: an Esplora server.
    """

    evm: str | None = None
    confirmations: int = 1
    ca_file: str | Path | None = None
    bitcoin: str | None = None


@dataclass(frozen=True)
class Judged:
    """An anchor that holds.

    Args:
        head: what was anchored, signed by a log of the policy.
        now: the log's newest head, which continues it; None where the log was not looked at.
    """

    anchored: Anchored
    head: Checkpoint
    now: Checkpoint | None


def judge(receipt: str | Path, sources: Sources, policy: Policy, *, log: Reader | None = None) -> Judged:
    """Check an anchor, and the log against it.

    Raises:
        IntegrityError: the anchor does not hold, another log signed the head, or the log was rewritten since.
        ConfigError: nobody is named who could tell.
        DataError: a file is missing or malformed.

    Limits: the log's entries are not read; ``hauberk ledger verify`` and a monitor do that.
    """
    checkpoint = receipts.read_head(receipt)
    head = policy.check_log(checkpoint)
    anchored = _anchored(Path(receipt), checkpoint, sources)
    if log is None:
        return Judged(anchored, head, None)
    now = policy.check_log(log.head())
    if now.origin != head.origin:
        raise IntegrityError(f"the anchored head is of another log: {head.origin}, and not {now.origin}")
    proof = merkle.consistency(head.size, now.size, log.hashes) if head.size <= now.size else ()
    verify_consistency(head.size, head.root, now.size, now.root, proof)
    return Judged(anchored, head, now)


def _anchored(receipt: Path, checkpoint: bytes, sources: Sources) -> Anchored:
    kind = receipts.kind_of(receipt)
    data = read_bytes(receipt, what="receipt of an anchor")
    if kind == "evm":
        document = receipts.from_json(data, where=str(receipt))
        if sources.evm is None:
            raise ConfigError("this anchor is checked with a node of its chain", hint="--evm URL")
        return evm_checking.check(sources.evm, checkpoint, document, confirmations=sources.confirmations)
    if kind == "rfc3161":
        if sources.ca_file is None:
            raise ConfigError("this anchor is checked with the authority's certificates", hint="--ca FILE")
        return rfc3161_checking.check(data, checkpoint, sources.ca_file)
    if sources.bitcoin is None:
        raise ConfigError("this anchor is checked with a Bitcoin server", hint="--bitcoin URL")
    return ots_checking.check(data, checkpoint, sources.bitcoin)
