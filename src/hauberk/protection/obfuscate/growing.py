"""Dummy neurons in pairs that compute the same and are read with opposite signs: whatever they say, it cancels.

A dummy reads what the layer reads, other dummies too, and is read by dummies of the next layer, so that whole
branches run beside the network from end to end. Its numbers are drawn from those of the tensor that it joins.

Limits: who looks for two neurons with parallel weights finds every pair.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hauberk.protection.obfuscate.key import ModelKey
from hauberk.protection.obfuscate.plan import Choices, Tree, groups_in
from hauberk.protection.obfuscate.program import Program


class Places(NamedTuple):
    """Of a dimension that grew: where its old entries, first and second dummies lie, and its size."""

    old: Tensor
    first: Tensor
    second: Tensor
    size: int


def places(tree: Tree, sizes: Sequence[int], pairs: Mapping[int, int]) -> Places:
    """Where old entries and dummies lie along a dimension.

    Args:
        sizes: of the groups, before.
        pairs: dummy pairs by group.
    """
    if "group" in tree:
        size, more = sizes[tree["group"]], pairs.get(tree["group"], 0)
        whole = torch.arange(size + 2 * more)
        return Places(whole[:size], whole[size : size + more], whole[size + more :], len(whole))
    if "still" in tree:
        return Places(torch.arange(tree["still"]), torch.arange(0), torch.arange(0), tree["still"])
    parts = [places(part, sizes, pairs) for part in tree.get("product") or tree["sum"]]
    return functools.reduce(_times if "product" in tree else _plus, parts)


def _times(left: Places, right: Places) -> Places:
    """At most one of the two has dummies."""

    def over(a: Tensor, b: Tensor) -> Tensor:
        return (a[:, None] * right.size + b[None, :]).flatten()

    return Places(
        over(left.old, right.old),
        torch.cat([over(left.first, right.old), over(left.old, right.first)]),
        torch.cat([over(left.second, right.old), over(left.old, right.second)]),
        left.size * right.size,
    )


def _plus(left: Places, right: Places) -> Places:
    return Places(
        torch.cat([left.old, right.old + left.size]),
        torch.cat([left.first, right.first + left.size]),
        torch.cat([left.second, right.second + left.size]),
        left.size + right.size,
    )


def growable(choices: Choices) -> list[int]:
    """Groups to which neurons may be added: some tensor makes them and some tensor reads them."""
    made: set[int] = set()
    read: set[int] = set()
    for name, trees in choices.trees.items():
        for place, tree in enumerate(trees):
            (read if (name, place) in choices.reading else made).update(groups_in(tree))
    return [group for group in sorted(made & read) if choices.growing[group]]


def grow(program: Program, choices: Choices, pairs: Mapping[int, int], key: ModelKey) -> Program:
    """A program with so many pairs of dummies in each of the groups that ``pairs`` names."""
    grown, reading = program.copy(), choices.reading
    for name, trees in choices.trees.items():
        tensor = pool = grown.weights[name]
        # columns first: the rows of a pair must be equal in all columns, the dummies' too
        for place in sorted(range(len(trees)), key=lambda one: (name, one) not in reading):
            if any(group in pairs for group in groups_in(trees[place])):
                parts = places(trees[place], choices.sizes, pairs)
                sign = -1 if (name, place) in reading else 1
                tensor = _widened(tensor, pool, place, parts, sign, key, f"dummies/{name}/{place}")
        grown.weights[name] = tensor
    for facts in grown.graph["state"].values():
        facts["shape"] = list(grown.weights[facts["target"]].shape)
    return grown


def _widened(
    tensor: Tensor, pool: Tensor, place: int, parts: Places, sign: int, key: ModelKey, label: str
) -> Tensor:
    old, first, second, size = parts
    shape = [*tensor.shape]
    shape[place] = len(first)
    drawn = pool.flatten()[key.whole(label, torch.Size(shape).numel(), pool.numel())].view(shape)
    shape[place] = size
    made = tensor.new_empty(shape)
    for where, what in ((old, tensor), (first, drawn), (second, sign * drawn)):
        made.index_copy_(place, where, what)
    return made


def shrink(weights: Mapping[str, Tensor], choices: Choices, pairs: Mapping[int, int]) -> dict[str, Tensor]:
    """The tensors without the dummies: the inverse of ``grow``."""
    made = dict(weights)
    for name, trees in choices.trees.items():
        for place, tree in enumerate(trees):
            if any(group in pairs for group in groups_in(tree)):
                made[name] = made[name].index_select(place, places(tree, choices.sizes, pairs).old)
    return made
