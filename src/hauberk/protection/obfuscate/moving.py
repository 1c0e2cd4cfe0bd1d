"""Carrying out a plan on tensors: multiply, then permute; and back, to the last bit.

Multipliers are powers of two, so multiplying rounds nothing. Everything is indexed by the original order:
``new[i] = scale[order[i]] * old[order[i]]``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hauberk.protection.obfuscate.plan import Plan, Tree, groups_in

Weights = Mapping[str, Tensor]


def order_of(tree: Tree, orders: Sequence[Tensor]) -> Tensor:
    """Where each entry of a dimension comes from, int64 ``(size,)``."""
    if "group" in tree:
        return orders[tree["group"]]
    if "still" in tree:
        return torch.arange(tree["still"])
    whole = torch.zeros(1, dtype=torch.int64)
    if "product" in tree:
        for part in tree["product"]:
            inner = order_of(part, orders)
            whole = (whole[:, None] * len(inner) + inner[None, :]).flatten()
        return whole
    pieces, start = [], 0
    for part in tree["sum"]:
        pieces.append(order_of(part, orders) + start)
        start += len(pieces[-1])
    return torch.cat(pieces)


def exponents_of(tree: Tree, exponents: Sequence[Tensor]) -> Tensor:
    """The power of two of each entry of a dimension, int64 ``(size,)``, in the original order."""
    if "group" in tree:
        sign: int = tree.get("sign", 1)
        return exponents[tree["group"]] * sign
    if "still" in tree:
        return torch.zeros(tree["still"], dtype=torch.int64)
    if "product" in tree:
        whole = torch.zeros(1, dtype=torch.int64)
        for part in tree["product"]:
            whole = (whole[:, None] + exponents_of(part, exponents)[None, :]).flatten()
        return whole
    return torch.cat([exponents_of(part, exponents) for part in tree["sum"]])


def _multiplier(trees: Sequence[Tree], exponents: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    whole = torch.zeros([1] * len(trees), dtype=torch.int64)
    for place, tree in enumerate(trees):
        own = exponents_of(tree, exponents)
        whole = whole + own.view([-1 if here == place else 1 for here in range(len(trees))])
    return torch.exp2(whole.to(torch.float64)).to(dtype)


def moved(
    weights: Weights, plan: Plan, orders: Sequence[Tensor], exponents: Sequence[Tensor]
) -> dict[str, Tensor]:
    """All tensors, those of the plan scaled and permuted."""
    made = dict(weights)
    for name, trees in plan.scales.trees.items():
        made[name] = made[name] * _multiplier(trees, exponents, made[name].dtype)
    for name, trees in plan.orders.trees.items():
        for place, tree in enumerate(trees):
            if groups_in(tree):
                made[name] = made[name].index_select(place, order_of(tree, orders))
    return made


def moved_back(
    weights: Weights, plan: Plan, orders: Sequence[Tensor], exponents: Sequence[Tensor]
) -> dict[str, Tensor]:
    """The inverse of ``moved``."""
    made = dict(weights)
    for name, trees in plan.orders.trees.items():
        for place, tree in enumerate(trees):
            if groups_in(tree):
                made[name] = made[name].index_select(place, order_of(tree, orders).argsort())
    opposite = [-one for one in exponents]
    for name, trees in plan.scales.trees.items():
        made[name] = made[name] * _multiplier(trees, opposite, made[name].dtype)
    return made


def inexact(weights: Weights, plan: Plan, exponents: Sequence[Tensor]) -> set[int]:
    """Scale groups that would not come back to the last bit: numbers at the ends of the range of floats."""
    found: set[int] = set()
    opposite = [-one for one in exponents]
    for name, trees in plan.scales.trees.items():
        dtype = weights[name].dtype
        there = weights[name] * _multiplier(trees, exponents, dtype)
        back = there * _multiplier(trees, opposite, dtype)
        if not torch.equal(back, weights[name]) or not bool(torch.isfinite(there).all()):
            found |= {group for tree in trees for group in groups_in(tree)}
    return found


def share(weights: Weights, names: Mapping[str, object]) -> float:
    """Of all numbers, those in the tensors named."""
    whole = sum(math.prod(one.shape) for one in weights.values())
    return sum(math.prod(weights[name].shape) for name in names) / whole if whole else 0.0
