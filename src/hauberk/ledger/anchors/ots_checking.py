"""Is a checkpoint in Bitcoin, and since when? The block is asked of an Esplora server, and judged by its work.

Apart from ``anchors.ots``, which asks calendars; what a calendar promised is not believed here.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

from hauberk.core.errors import EnvironmentFailure, IntegrityError
from hauberk.ledger import web
from hauberk.ledger.anchors import ots_format
from hauberk.ledger.anchors.receipts import Anchored

LEAST_WORK = 1 << 68  # hashes; a block of 2016, when OpenTimestamps began, took more
_HEADER = re.compile(rb"[0-9a-f]{160}")
_NAME = re.compile(rb"[0-9a-f]{64}")


def check(data: bytes, checkpoint: bytes, url: str, *, least_work: int = LEAST_WORK) -> Anchored:
    """Follow the proof from the checkpoint to a block, and compare it with the block's Merkle root.

    Args:
        data: the ``.ots`` file.
        url: an Esplora server's API, such as a Bitcoin explorer offers or a node of one's own.
        least_work: hashes that a block must have cost on average.

    Returns:
        The earliest of its blocks.

    Raises:
        DataError: not an ``.ots`` file.
        IntegrityError: it is for something else, is still pending, or no block has what it says.
        EnvironmentFailure: the server does not answer as one.

    Limits: the server is believed that the block is part of the chain that everybody follows; making one of its
    own would cost 2^68 hashes. A block's time may be wrong by two hours.
    """
    stamp = ots_format.read(data)
    if stamp.message != hashlib.sha256(checkpoint).digest():
        raise IntegrityError("the OpenTimestamps proof is for something else than this checkpoint")
    blocks = [(one.height, below.message) for below, one in stamp.walk() if one.kind == ots_format.BITCOIN]
    if not blocks:
        calendars = {one.calendar for _, one in stamp.walk() if one.kind == ots_format.PENDING}
        hint = f"add --ots {min(calendars)} in a few hours" if calendars else None
        raise IntegrityError("the OpenTimestamps proof is not in Bitcoin yet", hint=hint)
    height, root = min(blocks)
    header = _header(web.check_url(url, "a Bitcoin server"), height)
    if header[36:68] != root:
        raise IntegrityError(f"Bitcoin block {height} does not hold what the OpenTimestamps proof says")
    if _work(header) < least_work:
        raise IntegrityError(
            f"what {web.shown(url)} gives as Bitcoin block {height} cost too little work to be one"
        )
    return Anchored(
        kind="ots",
        existed_by=datetime.fromtimestamp(int.from_bytes(header[68:72], "little"), UTC),
        witness=f"Bitcoin block {height}",
        facts={"block": height, "merkle_root": root[::-1].hex()},
    )


def _header(url: str, height: int) -> bytes:
    """The 80 bytes of the block at ``height``; Esplora names blocks by their hash."""
    name = _asked(f"{url}/block-height/{height}", _NAME)
    return bytes.fromhex(_asked(f"{url}/block/{name}/header", _HEADER))


def _asked(url: str, form: re.Pattern[bytes]) -> str:
    answer = web.get(url)
    if answer.status != 200 or not form.fullmatch(answer.body.strip()):
        raise EnvironmentFailure(
            f"{web.shown(url)} does not answer as an Esplora server (HTTP {answer.status})"
        )
    return answer.body.strip().decode("ascii")


def _work(header: bytes) -> int:
    """How many hashes a header like this one takes on average; 0 where it misses the target that it names."""
    exponent, mantissa = header[75], int.from_bytes(header[72:75], "little")
    target = mantissa << (8 * (exponent - 3)) if exponent >= 3 else 0
    found = int.from_bytes(hashlib.sha256(hashlib.sha256(header).digest()).digest(), "little")
    return (1 << 256) // (target + 1) if found <= target else 0
