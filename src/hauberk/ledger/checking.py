"""Checking proofs, after RFC 9162 and not after whoever made them; only the two hashes are shared.

A proof that holds says nothing about who signed the root, and when: that is the checkpoint's matter.

Source: RFC 9162, sections 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from hauberk.core.errors import IntegrityError
from hauberk.ledger.hashing import EMPTY_ROOT, HASH_BYTES, node_hash


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Is the leaf with this hash entry ``index`` of the tree of ``size`` with this root?

    Args:
        leaf: the hash of the leaf, 32 bytes.

    Raises:
        IntegrityError: it is not, or the proof is too short or too long.
    """
    _check_lengths(leaf, root, *proof)
    if not 0 <= index < size:
        raise IntegrityError(f"there is no entry {index} in a log of {size}")
    position, last = index, size - 1
    value = leaf
    for sibling in proof:
        if last == 0:
            raise IntegrityError("the inclusion proof is too long")
        if position & 1 or position == last:
            value = node_hash(sibling, value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise IntegrityError("the inclusion proof is too short")
    if value != root:
        raise IntegrityError(f"entry {index} is not what the log of {size} entries holds there")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Does the tree of size ``new`` hold all of the tree of size ``old``, unchanged and in order?

    The proof is empty where both are of one size, and from the empty tree, which every tree continues.

    Raises:
        IntegrityError: it does not, or the proof is too short or too long.
    """
    if not 0 <= old <= new:
        raise IntegrityError(f"a log of {new} entries cannot continue one of {old}")
    if old == 0 and old_root != EMPTY_ROOT:
        raise IntegrityError("the root of an empty log is not that of an empty tree")
    if old == new:
        if old_root != new_root or proof:
            raise IntegrityError(f"two heads of one log differ at the same size {old}")
        return
    _check_lengths(old_root, new_root, *proof)
    if old == 0:
        if proof:
            raise IntegrityError("a proof of consistency with the empty log is empty")
        return
    _walk(old, old_root, new, new_root, proof)


def _walk(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    path = list(proof)
    if old & (old - 1) == 0:  # a complete tree: its own root is where the path starts
        path.insert(0, old_root)
    if not path:
        raise IntegrityError("the consistency proof is too short")
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    before = after = path[0]
    for value in path[1:]:
        if last == 0:
            raise IntegrityError("the consistency proof is too long")
        if first & 1 or first == last:
            before, after = node_hash(value, before), node_hash(value, after)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            after = node_hash(after, value)
        first, last = first >> 1, last >> 1
    if last:
        raise IntegrityError("the consistency proof is too short")
    if before != old_root or after != new_root:
        raise IntegrityError(f"the log of {new} entries does not continue the one of {old}: it was rewritten")


def _check_lengths(*hashes: bytes) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise IntegrityError(f"a hash in a proof has not {HASH_BYTES} bytes")
