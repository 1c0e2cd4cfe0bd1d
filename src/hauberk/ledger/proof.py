"""Proofs in files: that an entry is in a log (c2sp.org/tlog-proof), checked with a policy and nothing else.

The file holds the head of the log with all of its signatures, the entry's number, and the path of hashes
between the two. It does not hold the entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hauberk.core.errors import IntegrityError
from hauberk.crypto.notes import Checkpoint, Note, decode64, encode64, parse_decimal
from hauberk.ledger.checking import verify_consistency, verify_inclusion
from hauberk.ledger.hashing import HASH_BYTES, leaf_hash
from hauberk.ledger.policy import Policy

MOST_HASHES = 63
"""In one proof: no tree that a checkpoint can name is higher."""
HEADER = "c2sp.org/tlog-proof@v1"
_LARGEST = 2_000_000  # bytes of a proof


@dataclass(frozen=True)
class Proof:
    """An entry is in a log.

    Args:
        index: the entry's number.
        hashes: from the leaf's sibling up, 32 bytes each.
        head: the signed checkpoint.
        extra: what an application adds; nobody vouches for it.
    """

    index: int
    hashes: tuple[bytes, ...]
    head: Note
    extra: bytes | None = None

    def __bytes__(self) -> bytes:
        """The file."""
        extra = [] if self.extra is None else [f"extra {encode64(self.extra)}"]
        return _join([HEADER, *extra, f"index {self.index}", *map(encode64, self.hashes)], self.head)

    @classmethod
    def parse(cls, data: bytes) -> Proof:
        """Read a file; nothing is verified.

        Raises:
            IntegrityError: it is no proof of this kind.
        """
        if not data.startswith(f"{HEADER}\n".encode()):
            raise IntegrityError(f"not an inclusion proof: it does not begin with {HEADER}")
        lines, head = _split(data, "an inclusion proof")
        lines.pop(0)
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = decode64(lines.pop(0).removeprefix("extra "), what="the extra data")
        index = _number(lines, "index")
        return cls(index, _hashes(lines), head, extra)

    def verify(self, entry: bytes, policy: Policy) -> Checkpoint:
        """Check that the log holds ``entry`` at ``index``, by a head that the policy believes.

        Returns:
            That head.

        Raises:
            IntegrityError: it does not, or the head is not believed.
        """
        head = policy.check(self.head)
        verify_inclusion(leaf_hash(entry), self.index, head.size, self.hashes, head.root)
        return head


@dataclass(frozen=True)
class Continuation:
    """A head continues an older one: in the form in which a log asks a witness (c2sp.org/tlog-witness).

    Args:
        old: the older head's size.
        hashes: the consistency proof, 32 bytes each.
        head: the newer head, signed.
    """

    old: int
    hashes: tuple[bytes, ...]
    head: Note

    def __bytes__(self) -> bytes:
        """The file, or the body of a request to ``add-checkpoint``."""
        return _join([f"old {self.old}", *map(encode64, self.hashes)], self.head)

    @classmethod
    def parse(cls, data: bytes) -> Continuation:
        """Read a file or the body of a request; nothing is verified.

        Raises:
            IntegrityError: it is neither.
        """
        lines, head = _split(data, "a consistency proof")
        old = _number(lines, "old")
        return cls(old, _hashes(lines), head)

    def verify(self, older: bytes | Note, policy: Policy) -> Checkpoint:
        """Check that the newer head continues the older one, which somebody kept.

        The older head must be signed by a log of the policy; witnesses are asked for on the newer one only.

        Returns:
            The newer head.

        Raises:
            IntegrityError: it does not, or one of the heads is not believed.
        """
        before, after = policy.check_log(older), policy.check(self.head)
        if before.origin != after.origin:
            raise IntegrityError(f"the heads are of two logs, {before.origin} and {after.origin}")
        if before.size != self.old:
            raise IntegrityError(f"the proof starts at size {self.old}, the older head has {before.size}")
        verify_consistency(before.size, before.root, after.size, after.root, self.hashes)
        return after


def parse_proof(data: bytes) -> Proof | Continuation:
    """Read a file of either kind, told apart by its first word.

    Raises:
        IntegrityError: it is neither.
    """
    return Continuation.parse(data) if data.startswith(b"old ") else Proof.parse(data)


def _join(lines: Iterable[str], head: Note) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + bytes(head)


def _split(data: bytes, what: str) -> tuple[list[str], Note]:
    """The lines before the first empty one, and the note behind it."""
    above, empty, below = data[:_LARGEST].partition(b"\n\n")
    if not empty or len(data) > _LARGEST:
        raise IntegrityError(f"not {what}: there is no empty line before a checkpoint, or it is too long")
    try:
        lines = above.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise IntegrityError(f"not {what}: its lines are not ASCII") from None
    return lines, Note.parse(below)


def _number(lines: list[str], word: str) -> int:
    line = lines.pop(0) if lines else ""
    if not line.startswith(f"{word} "):
        raise IntegrityError(f"not a proof: a line '{word} NUMBER' is missing")
    return parse_decimal(line.removeprefix(f"{word} "), what=f"the number behind '{word}'")


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > MOST_HASHES:
        raise IntegrityError(f"not a proof: it has more than {MOST_HASHES} hashes")
    hashes = tuple(decode64(line, what="a hash of the proof") for line in lines)
    if any(len(one) != HASH_BYTES for one in hashes):
        raise IntegrityError(f"not a proof: a hash has not {HASH_BYTES} bytes")
    return hashes
