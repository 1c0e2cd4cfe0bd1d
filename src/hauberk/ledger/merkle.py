"""Making proofs: what is in a tree of any size, and that it only grew.

A tree is known by the hashes of its complete subtrees: the one at ``(level, index)`` covers the ``2**level``
entries from ``index << level``. They never change once they are there. Each element of a proof is the root of a
run of entries, and each run falls into complete subtrees, one for each bit of its length; so any store that can
look up those hashes can prove. What is proven here is checked by ``checking``, which shares only the hashes.

Source: RFC 6962, sections 2.1.1 and 2.1.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from hauberk.core.errors import ConfigError
from hauberk.ledger.hashing import EMPTY_ROOT, node_hash

Hashes = Callable[[int, int], bytes]
"""``hashes(level, index)``: the hash of a complete subtree."""


Node = tuple[int, int]
"""A complete subtree: its level and its index there."""


Run = tuple[Node, ...]
"""Complete subtrees side by side, the largest first."""


def subtrees(start: int, end: int) -> Run:
    """The complete subtrees of a run whose start is a multiple of every power of two below its length."""
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return tuple(found)


def inclusion_runs(index: int, size: int) -> tuple[Run, ...]:
    """The runs of entries whose roots prove that entry ``index`` is in a tree of ``size``, the nearest first.

    Raises:
        ConfigError: there is no such entry.
    """
    if not 0 <= index < size:
        raise ConfigError(f"no entry {index} in a log of {size}")
    start, end = 0, size
    found: list[Run] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append(subtrees(middle, end))
            end = middle
        else:
            found.append(subtrees(start, middle))
            start = middle
    return tuple(reversed(found))


def consistency_runs(old: int, new: int) -> tuple[Run, ...]:
    """The runs of entries whose roots prove that a tree of size ``new`` continues one of size ``old``.

    Empty where the two are of one size, and from the empty tree, which every tree continues.

    Raises:
        ConfigError: the old one is larger.
    """
    if not 0 <= old <= new:
        raise ConfigError(f"a log of {new} entries does not continue one of {old}")
    if old in (0, new):
        return ()
    start, end = 0, new
    found: list[Run] = []
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            found.append(subtrees(middle, end))
            end = middle
        else:
            found.append(subtrees(start, middle))
            start = middle
    if start:  # from 0 the old root is that hash, and whoever checks has it
        found.append(subtrees(start, end))
    return tuple(reversed(found))


def _split(length: int) -> int:
    """The largest power of two below ``length``."""
    return 1 << ((length - 1).bit_length() - 1)


def fold(parts: Sequence[bytes]) -> bytes:
    """The root over the hashes of a run, the largest first."""
    return reduce(lambda right, left: node_hash(left, right), reversed(parts))


def prove(runs: Iterable[Run], hashes: Hashes) -> tuple[bytes, ...]:
    """The proof that ``inclusion_runs`` or ``consistency_runs`` asks for.

    Cost: for a tree of n entries at most log2(n) hashes, made of fewer than 2 log2(n) that are looked up.
    """
    return tuple(fold([hashes(*node) for node in run]) for run in runs)


def inclusion(index: int, size: int, hashes: Hashes) -> tuple[bytes, ...]:
    """The proof that entry ``index`` is in the tree of ``size``, from the leaf's sibling up.

    Raises:
        ConfigError: there is no such entry.
    """
    return prove(inclusion_runs(index, size), hashes)


def consistency(old: int, new: int, hashes: Hashes) -> tuple[bytes, ...]:
    """The proof that the tree of size ``new`` continues the one of size ``old``.

    Raises:
        ConfigError: the old one is larger.
    """
    return prove(consistency_runs(old, new), hashes)


def root(size: int, hashes: Hashes) -> bytes:
    """The root hash of the tree over the first ``size`` entries."""
    return fold([hashes(*node) for node in subtrees(0, size)]) if size else EMPTY_ROOT


@dataclass
class Frontier:
    """All that must be known of a tree to let it grow: the complete subtrees that cover it, the largest first.

    Args:
        size: the number of entries.
        hashes: one for each of ``subtrees(0, size)``.
    """

    size: int
    hashes: list[bytes]

    def __post_init__(self) -> None:
        if len(self.hashes) != self.size.bit_count():
            raise ConfigError(
                f"a tree of {self.size} has {self.size.bit_count()} complete subtrees at its edge"
            )

    @classmethod
    def read(cls, size: int, hashes: Hashes) -> Frontier:
        """The edge of a stored tree."""
        return cls(size, [hashes(*node) for node in subtrees(0, size)])

    def append(self, leaf: bytes) -> list[tuple[Node, bytes]]:
        """Add the hash of one leaf.

        Returns:
            The complete subtrees that came to be, the leaf itself first.
        """
        level, index, value = 0, self.size, leaf
        made = [((level, index), value)]
        while index & 1:
            level, index, value = level + 1, index >> 1, node_hash(self.hashes.pop(), value)
            made.append(((level, index), value))
        self.hashes.append(value)
        self.size += 1
        return made

    @property
    def root(self) -> bytes:
        return fold(self.hashes) if self.size else EMPTY_ROOT
