"""Axes: which dimensions of which tensors must move together, and which may not move at all.

Every dimension of every value in a network has an ``Axis``. Operations say that two axes are one (a residual
addition), that one is the product of others (flatten), or their sum (concatenation); the parts are found as
they are needed, so that an axis of 48 becomes 4 heads of 12 only where the network treats it so. What is left
in the end is a forest: its leaves are the choices one is free to make, each once for the whole network.

The same forest serves two questions. For orders a leaf is a permutation. For scales it is a vector of
logarithms, and a link may carry a sign: where one axis is summed against another, as the columns of a weight
against the features they read, the logarithms are opposite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Signed = tuple["Axis", int]


class Axis:
    """One dimension: a leaf, a link to another axis, or a product or sum of parts.

    Args:
        size: entries along it.
        reason: why it must stay as it is; "" where it is free.
    """

    __slots__ = ("kind", "link", "parts", "reason", "rigid", "size")

    def __init__(self, size: int, reason: str = "") -> None:
        self.size = size
        self.reason = reason or ("one entry" if size == 1 else "")
        self.link: Signed | None = None
        self.kind = "leaf"
        self.parts: list[Signed] = []
        self.rigid = False

    def __repr__(self) -> str:
        return f"Axis({self.size}, {self.kind}{', ' + self.reason if self.reason else ''})"


def find(axis: Axis) -> Signed:
    """The axis that stands for it, and the sign of its logarithm there."""
    sign = 1
    while axis.link is not None:
        axis, step = axis.link
        sign *= step
    return axis, sign


def product(parts: Sequence[Axis]) -> Axis:
    """One axis whose entries run over those of ``parts``, the last fastest."""
    made = [(one, 1) for one in parts if one.size > 1]
    if len(made) == 1:
        return made[0][0]
    return _composite("product", math.prod(one.size for one in parts), made)


def total(parts: Sequence[Axis]) -> Axis:
    """One axis whose entries are those of ``parts``, one after another."""
    made = [(one, 1) for one in parts if one.size > 0]
    if len(made) == 1:
        return made[0][0]
    return _composite("sum", sum(one.size for one in parts), made)


def _composite(kind: str, size: int, parts: list[Signed]) -> Axis:
    axis = Axis(size)
    if parts:
        axis.kind, axis.parts = kind, parts
        axis.reason = ""
    return axis


def pin(axis: Axis, reason: str) -> None:
    """Nothing of it may move."""
    for leaf in leaves(axis):
        leaf.reason = leaf.reason or reason


def make_rigid(axis: Axis) -> None:
    """It may move, but its size must stay."""
    for leaf in leaves(axis):
        leaf.rigid = True


def leaves(axis: Axis) -> list[Axis]:
    """The leaves below, in the order in which they are met."""
    root, _sign = find(axis)
    if root.kind == "leaf":
        return [root]
    return [leaf for part, _ in root.parts for leaf in leaves(part)]


def unify(first: Axis, second: Axis, *, inverse: bool = False) -> None:
    """Say that two axes are one; ``inverse``: with opposite logarithms.

    Where their parts cannot be brought together, both are pinned: that is always right.
    """
    _unify(first, second, -1 if inverse else 1)


def _unify(first: Axis, second: Axis, sign: int) -> None:
    (a, sign_a), (b, sign_b) = find(first), find(second)
    sign *= sign_a * sign_b
    if a is b:
        if sign < 0:
            pin(a, "it is its own inverse")
        return
    if a.size != b.size:
        _give_up(a, b)
    elif a.kind == "leaf":
        _link(a, b, sign)
    elif b.kind == "leaf":
        _link(b, a, sign)
    elif a.kind == b.kind == "product":
        _match_products(a, b, sign)
    else:
        _match_sums(a, b, sign)


def _give_up(a: Axis, b: Axis) -> None:
    for one in (a, b):
        pin(one, "its parts do not fit together")


def _link(leaf: Axis, other: Axis, sign: int) -> None:
    if leaf.reason:
        pin(other, leaf.reason)
    if leaf.rigid:
        make_rigid(other)
    leaf.link = (other, sign)


def _flat(kind: str, parts: Iterable[Signed]) -> list[Signed]:
    """Parts with those of the same kind opened."""
    found: list[Signed] = []
    for part, sign in parts:
        root, own = find(part)
        found += (
            _flat(kind, [(inner, step * own * sign) for inner, step in root.parts])
            if root.kind == kind
            else [(root, own * sign)]
        )
    return found


def _split(leaf: Axis, kind: str, sizes: Sequence[int]) -> None:
    """Turn a leaf into a product or sum of new leaves."""
    parts = []
    for size in sizes:
        part = Axis(size, leaf.reason)
        part.rigid = leaf.rigid
        parts.append((part, 1))
    leaf.kind, leaf.parts, leaf.reason = kind, parts, ""


def _match_products(a: Axis, b: Axis, sign: int) -> None:
    """Common factors from the right."""
    left, right = [(a, 1)], [(b, sign)]
    while left and right:
        left, right = _flat("product", left), _flat("product", right)
        (x, sign_x), (y, sign_y) = left[-1], right[-1]
        if x.size == y.size:
            left.pop()
            right.pop()
            _unify(x, y, sign_x * sign_y)
            continue
        large, small = (x, y) if x.size > y.size else (y, x)
        if large.kind != "leaf" or large.size % small.size:
            return _give_up(a, b)
        _split(large, "product", (large.size // small.size, small.size))
    return None


def _match_sums(a: Axis, b: Axis, sign: int) -> None:
    """Common pieces from the left; a product is cut within its first factor."""
    left, right = [(a, 1)], [(b, sign)]
    while left and right:
        left, right = _flat("sum", left), _flat("sum", right)
        (x, sign_x), (y, sign_y) = left[0], right[0]
        if x.size == y.size:
            left.pop(0)
            right.pop(0)
            _unify(x, y, sign_x * sign_y)
            continue
        queue, small = (left, y) if x.size > y.size else (right, x)
        pieces = _cut(queue[0], small.size)
        if pieces is None:
            return _give_up(a, b)
        queue[:1] = pieces
    return None


def _cut(signed: Signed, size: int) -> list[Signed] | None:
    """The first ``size`` entries of an axis, and the rest; None where it cannot be cut there."""
    axis, sign = signed
    if axis.kind == "leaf":
        _split(axis, "sum", (size, axis.size - size))
        return [(part, sign) for part, _ in axis.parts]
    (lead, own), *rest = _flat("product", axis.parts)
    inner = math.prod(one.size for one, _ in rest)
    if lead.kind == "leaf":
        if size % inner:
            return None
        _split(lead, "sum", (size // inner, lead.size - size // inner))
    pieces: list[Signed] = []
    for part, step in _flat("sum", [(lead, own)]):
        pieces.append((_composite("product", part.size * inner, [(part, step), *rest]), sign))
    return pieces
