"""The forest of axes against brute force: what is permuted by its trees commutes with moving values about."""

from __future__ import annotations

import math
from types import SimpleNamespace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.protection.obfuscate.axes import Axis, leaves, pin, product, total, unify
from hauberk.protection.obfuscate.moving import exponents_of, order_of
from hauberk.protection.obfuscate.plan import Tree, tree_of
from hauberk.protection.obfuscate.shape_rules import regrouped

WALK = SimpleNamespace(same=unify, product=lambda parts: product(parts) if len(parts) else Axis(1))


def sizes(axis: Axis) -> list[int]:
    return [leaf.size for leaf in leaves(axis)]


def test_products_find_their_common_factors() -> None:
    axis, three, four = Axis(12), Axis(3), Axis(4)
    unify(axis, product([three, four]))
    unify(axis, product([Axis(6), Axis(2)]))
    assert sizes(axis) == [3, 2, 2]
    assert sizes(four) == [2, 2]
    assert not any(leaf.reason for leaf in leaves(axis))


def test_products_without_common_factors_are_pinned() -> None:
    axis = Axis(12)
    unify(axis, product([Axis(3), Axis(4)]))
    unify(axis, product([Axis(4), Axis(3)]))
    assert all(leaf.reason for leaf in leaves(axis))


def test_sums_find_their_common_pieces_also_within_products() -> None:
    axis, first, second = Axis(12), Axis(5), Axis(7)
    unify(axis, total([first, second]))
    unify(axis, total([Axis(3), Axis(9)]))
    assert sizes(axis) == [3, 2, 7]
    channels = Axis(6)
    unify(product([channels, Axis(4)]), total([Axis(8), Axis(16)]))
    assert sizes(channels) == [2, 4]
    assert not any(leaf.reason for leaf in leaves(channels))


def test_pinning_reaches_what_is_linked_and_what_is_split_later() -> None:
    one, other = Axis(6), Axis(6)
    unify(one, other)
    pin(other, "because")
    unify(one, product([Axis(2), Axis(3)]))
    assert [leaf.reason for leaf in leaves(one)] == ["because", "because"]


def test_logarithms_are_opposite_where_axes_are_summed() -> None:
    one, two, three = Axis(4), Axis(4), Axis(4)
    unify(one, two, inverse=True)
    unify(two, three, inverse=True)
    numbers: dict[Axis, int] = {}
    trees = [tree_of(axis, 1, numbers) for axis in (one, two, three)]
    chosen = [torch.tensor([1, -2, 3, 0])]
    first, second, third = (exponents_of(tree, chosen) for tree in trees)
    assert torch.equal(first, -second)
    assert torch.equal(first, third)
    unify(one, three, inverse=True)  # its own opposite: only zero is left
    assert all(leaf.reason for leaf in leaves(one))


def _cut(number: int, data: st.DataObject) -> list[int]:
    """Some factorisation, ones among it."""
    found = []
    while number > 1:
        factor = data.draw(st.sampled_from([k for k in range(2, number + 1) if number % k == 0]))
        found.append(factor)
        number //= factor
        if data.draw(st.booleans()):
            found.append(1)
    return found or [1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_regrouping_commutes_with_permuting(data: st.DataObject) -> None:
    """Reshape, transpose, reshape: the permuted input gives the permuted output, by the trees alone."""
    whole = data.draw(st.sampled_from([12, 24, 36, 48]))
    shapes = [_cut(whole, data) for _ in range(3)]
    turn = data.draw(st.permutations(range(len(shapes[1]))))
    first = [Axis(size) for size in shapes[0]]
    middle = regrouped(WALK, first, shapes[1])  # type: ignore[arg-type]
    last = regrouped(WALK, [middle[place] for place in turn], shapes[2])  # type: ignore[arg-type]

    numbers: dict[Axis, int] = {}
    trees = [[tree_of(axis, 1, numbers) for axis in axes] for axes in (first, last)]
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    chosen = [torch.randperm(axis.size, generator=generator) for axis in numbers]

    def permuted(tensor: torch.Tensor, own: list[Tree]) -> torch.Tensor:
        for place, tree in enumerate(own):
            tensor = tensor.index_select(place, order_of(tree, chosen))
        return tensor

    def moved(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.reshape(shapes[1]).permute(*turn).reshape(shapes[2])

    values = torch.arange(math.prod(shapes[0])).reshape(shapes[0])
    assert torch.equal(moved(permuted(values, trees[0])), permuted(moved(values), trees[1]))


def test_trees_of_sums_and_products_give_block_orders() -> None:
    orders = [torch.tensor([2, 0, 1]), torch.tensor([1, 0])]
    tree = {"sum": [{"product": [{"group": 0}, {"still": 2}]}, {"group": 1}]}
    assert order_of(tree, orders).tolist() == [4, 5, 0, 1, 2, 3, 7, 6]
    exponents = [torch.tensor([1, 2, 3]), torch.tensor([5, 7])]
    signed = {"product": [{"group": 0}, {"group": 1, "sign": -1}]}
    assert exponents_of(signed, exponents).tolist() == [-4, -6, -3, -5, -2, -4]
