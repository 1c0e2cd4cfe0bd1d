"""Stored trees for making proofs, and the paths of RFC 6962 written down recursively for comparing them."""

from __future__ import annotations

from collections.abc import Sequence

from branches import tree

from hauberk.ledger.hashing import leaf_hash, node_hash


def path_to(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1, word for word."""
    if len(entries) == 1:
        return []
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if m < k:
        return [*path_to(m, entries[:k]), tree(entries[k:])]
    return [*path_to(m - k, entries[k:]), tree(entries[:k])]


def entry(number: int) -> bytes:
    return b"%d" % number


class StoredTree:
    """All complete subtrees of ``2**height`` leaves, the hashes of a level in one string of bytes."""

    def __init__(self, height: int) -> None:
        row = [leaf_hash(entry(number)) for number in range(1 << height)]
        self.levels = [b"".join(row)]
        while len(row) > 1:
            row = [node_hash(*pair) for pair in zip(row[::2], row[1::2], strict=True)]
            self.levels.append(b"".join(row))

    def __call__(self, level: int, index: int) -> bytes:
        found = self.levels[level][32 * index : 32 * index + 32]
        assert len(found) == 32
        return found
