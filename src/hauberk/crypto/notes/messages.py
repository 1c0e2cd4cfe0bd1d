"""What exactly the three kinds of keys sign, byte for byte, and how a time stands before a cosignature.

    0x01  Ed25519 over the text of the note (c2sp.org/signed-note)
    0x04  Ed25519 over ``cosignature/v1``, the time and the text (c2sp.org/tlog-cosignature)
    0x06  ML-DSA-44 over the cosigner's name, the time, the log's name and a subtree (the same page)

Signers and verifiers share this page and nothing else.
"""

from __future__ import annotations

import hashlib
import struct

from hauberk.core.errors import ConfigError

ED25519, COSIGNATURE, SUBTREE = 0x01, 0x04, 0x06
PUBLIC_BYTES = {ED25519: 32, COSIGNATURE: 32, SUBTREE: 1312}
SIGNATURE_BYTES = {ED25519: 64, COSIGNATURE: 64, SUBTREE: 2420}
TIME_BYTES = 8
_LARGEST_TIME = 2**63 - 1


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """The first 4 bytes of SHA-256 over the name, the kind and the public key."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def cosignature_message(text: str, time: int) -> bytes:
    """What a cosigner signs with Ed25519: his name is not in it, so that each name needs a key of its own."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def subtree_message(cosigner: str, time: int, origin: str, start: int, end: int, root: bytes) -> bytes:
    """What a cosigner signs with ML-DSA-44: the entries from ``start`` to before ``end`` have this root.

    Args:
        time: POSIX seconds; 0 where nothing is said about the tree being the newest, and wherever ``start`` is
            not 0.

    Raises:
        ConfigError: a name of more than 255 bytes, or a range that is no subtree.
    """
    names = cosigner.encode(), origin.encode()
    if not all(1 <= len(one) <= 255 for one in names):
        raise ConfigError("the names of a cosigner and of a log have 1 to 255 bytes where ML-DSA-44 signs them")
    if not is_subtree(start, end):
        raise ConfigError(
            f"entries {start} to {end} are no subtree: its start is a multiple of its size, rounded up"
        )
    if start and time:
        raise ConfigError("a subtree that does not start at 0 is cosigned without a time")
    return b"".join(
        (
            b"subtree/v1\n\0",
            bytes([len(names[0])]),
            names[0],
            struct.pack(">Q", time),
            bytes([len(names[1])]),
            names[1],
            struct.pack(">QQ", start, end),
            root,
        )
    )


def is_subtree(start: int, end: int) -> bool:
    """Whether a tree of any size has a node over these entries; all from 0 count as one.

    Source: draft-ietf-plants-merkle-tree-certs, section on subtrees.
    """
    if start == 0:
        return 0 <= end < 2**64
    return 0 < start < end < 2**64 and start % (1 << (end - start - 1).bit_length()) == 0


def check_time(time: int) -> int:
    """POSIX seconds of a cosignature.

    Raises:
        ConfigError: before 1970, or beyond what the form holds.
    """
    if not 0 <= time <= _LARGEST_TIME:
        raise ConfigError(f"the time of a cosignature lies in [0, 2^63), got {time}")
    return time
