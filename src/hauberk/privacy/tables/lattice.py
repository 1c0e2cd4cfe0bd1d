"""The lattice of generalisations: one level for each attribute, and what every combination becomes there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hauberk.privacy.tables.hierarchies import Hierarchy
from hauberk.privacy.tables.table import Codes

Keys = npt.NDArray[np.uint64]
Nodes = npt.NDArray[np.int8]
MOST_NODES = 10_000
_BLOCK = 128  # partial keys held for one block of attributes
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 by the golden ratio: spreads keys over the high bits


def nodes_of(hierarchies: Sequence[Hierarchy], *, most: int = MOST_NODES) -> Nodes:
    """Levels to try, int8 ``(nodes, attributes)``: the whole lattice, or ways through it where that is too
    large.

    A way goes from no generalisation to the full one, raising one attribute at a time in random order. The
    first and the last node are always among them. The same hierarchies give the same nodes.
    """
    levels = [one.levels for one in hierarchies]
    if math.prod(levels) <= most:
        return np.array(list(itertools.product(*map(range, levels))), np.int8)
    steps = np.repeat(np.arange(len(levels)), [count - 1 for count in levels])
    random = np.random.default_rng(0)
    found = []
    for _ in range(max(1, most // (len(steps) + 1))):
        raised = random.permutation(steps)[:, None] == np.arange(len(levels))
        found.append(np.vstack([np.zeros(len(levels), int), np.cumsum(raised, axis=0)]))
    return np.unique(np.vstack(found), axis=0).astype(np.int8)


@dataclass
class Lattice:
    """Keys of combinations at every node: equal keys, equal generalised values.

    The attributes are cut into blocks of few levels, and a key is the sum of one partial key for each block.
    Where the attributes' sizes fit into 64 bits the keys are exact; else they are random sums that differ with
    overwhelming probability.

    Args:
        nodes: as ``nodes_of`` gives them.
    """

    hierarchies: Sequence[Hierarchy]
    nodes: Nodes

    def __post_init__(self) -> None:
        sizes = [len(one.leaves) for one in self.hierarchies]
        if math.prod(sizes) < 2**63:
            factors = np.cumprod([1, *sizes[:-1]], dtype=np.uint64)
        else:
            factors = np.random.default_rng(1).integers(0, 2**64, len(sizes), np.uint64) | np.uint64(1)
        self._factors: Keys = factors * _MIX  # an odd factor changes no equality
        self._blocks: list[tuple[range, list[tuple[int, ...]]]] = []
        self._place = np.zeros((len(self.nodes), 0), np.intp)
        start = 0
        while start < len(sizes):
            stop = start + 1
            while stop < len(sizes) and self._combos(start, stop + 1) <= _BLOCK:
                stop += 1
            used, place = np.unique(self.nodes[:, start:stop], axis=0, return_inverse=True)
            self._blocks.append((range(start, stop), [tuple(map(int, one)) for one in used]))
            self._place = np.column_stack([self._place, place.ravel()])
            start = stop

    def _combos(self, start: int, stop: int) -> int:
        return math.prod(one.levels for one in self.hierarchies[start:stop])

    @property
    def partial_keys(self) -> int:
        """How many are held for each combination."""
        return sum(len(used) for _, used in self._blocks)

    def mean_loss(self, leaves: Codes, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Of every node over a table, NCP averaged over attributes and rows, ``(nodes,)``."""
        total = np.zeros(len(self.nodes))
        for number, one in enumerate(self.hierarchies):
            weights = np.bincount(leaves[number], counts, minlength=len(one.leaves))
            total += (one.loss @ weights / counts.sum())[self.nodes[:, number]]
        return total / len(self.hierarchies)

    def partial(self, leaves: Codes) -> list[Keys]:
        """For each block the partial keys, uint64 ``(used, combinations)``."""
        return [
            np.stack([self._sum(attributes, one, leaves) for one in used]) for attributes, used in self._blocks
        ]

    def _sum(self, attributes: range, levels: tuple[int, ...], leaves: Codes) -> Keys:
        total = np.zeros(leaves.shape[1], np.uint64)
        for number, level in zip(attributes, levels, strict=True):
            factored = self.hierarchies[number].nodes[level].astype(np.uint64) * self._factors[number]
            total += factored[leaves[number]]
        return total

    def keys(self, node: int, partial: Sequence[Keys]) -> Keys:
        """At one node, from what ``partial`` gave."""
        total: Keys = partial[0][self._place[node, 0]]
        for block, place in zip(partial[1:], self._place[node, 1:], strict=True):
            total = total + block[place]
        return total

    def keys_at(self, node: int, leaves: Codes) -> Keys:
        """The same without partial keys, for a few nodes."""
        return self._sum(range(len(self.hierarchies)), tuple(map(int, self.nodes[node])), leaves)


def buckets(keys: Keys, bits: int) -> npt.NDArray[np.intp]:
    """A number below ``2**bits`` for each key; equal for equal keys."""
    return (keys >> np.uint64(64 - bits)).view(np.int64)
