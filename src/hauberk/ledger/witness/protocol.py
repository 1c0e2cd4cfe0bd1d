"""What a log sends to a witness, and how the answer is to be read.

    old 20852014
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=

    example.com/behind-the-sofa
    …

The lines between are a proof that the log of the size below continues that of the size above.

Source: c2sp.org/tlog-witness, add-checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from hauberk.core.errors import IntegrityError
from hauberk.crypto.notes import decode64, encode64, parse_decimal
from hauberk.ledger.hashing import HASH_BYTES

PATH = "/add-checkpoint"
SIZE_KIND = "text/x.tlog.size"
TEXT_KIND = "text/plain; charset=utf-8"
MOST_HASHES = 63
MOST_BYTES = 1 << 18  # 63 hashes, and a checkpoint with more than fifty post-quantum signatures
_OLD = "old "


@dataclass(frozen=True)
class Request:
    """A head, and the proof that it continues an older one.

    Args:
        old: the size of the older head; 0 where the witness is new to the log, or its last head is not known.
        proof: hashes of 32 bytes; none from 0.
        checkpoint: the signed note.
    """

    old: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def __bytes__(self) -> bytes:
        lines = [f"{_OLD}{self.old}", *(encode64(one) for one in self.proof), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint

    @classmethod
    def parse(cls, body: bytes) -> Request:
        """Read a request; nothing in it is verified.

        Raises:
            IntegrityError: it does not have this form.
        """
        above, empty, checkpoint = body.partition(b"\n\n")
        if not empty or not checkpoint:
            raise IntegrityError("no empty line before the checkpoint")
        try:
            first, *rest = above.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise IntegrityError("the lines above the checkpoint are not ASCII") from None
        if not first.startswith(_OLD):
            raise IntegrityError("the first line does not say 'old SIZE'")
        if len(rest) > MOST_HASHES:
            raise IntegrityError(f"more than {MOST_HASHES} hashes in the proof")
        old = parse_decimal(first.removeprefix(_OLD), what="the old size")
        return cls(old, _hashes(rest), checkpoint)


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    found = tuple(decode64(line, what="a hash of the proof") for line in lines)
    if any(len(one) != HASH_BYTES for one in found):
        raise IntegrityError(f"a hash of the proof has not {HASH_BYTES} bytes")
    return found


@dataclass(frozen=True)
class Reply:
    """What a witness answers.

    Args:
        status: 200 with cosignatures; 400, 403, 404, 409 or 422 with a line that says why, or with a size.
    """

    status: HTTPStatus
    body: bytes
    kind: str = TEXT_KIND

    @classmethod
    def refused(cls, status: HTTPStatus, why: str) -> Reply:
        return cls(status, f"{why}\n".encode())

    @classmethod
    def conflict(cls, size: int) -> Reply:
        """The witness' last head has this size."""
        return cls(HTTPStatus.CONFLICT, f"{size}\n".encode(), SIZE_KIND)
