"""The two hashes of a Merkle tree, told apart by their first byte so that a node is never taken for a leaf.

Source: RFC 6962, section 2.1.
"""

from __future__ import annotations

import hashlib

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()
"""The root of a tree without leaves."""


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256 of a zero byte and the entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of a one byte and two hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()
