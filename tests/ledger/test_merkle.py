"""Proofs of every tree up to 300 leaves, of random ones up to a million, and what becomes of a changed bit."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from branches import consistency, tree
from hypothesis import given, settings
from hypothesis import strategies as st
from merkle_trees import StoredTree, entry, path_to

from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.ledger import merkle
from hauberk.ledger.checking import verify_consistency, verify_inclusion
from hauberk.ledger.hashing import EMPTY_ROOT, leaf_hash, node_hash

LARGE = 20  # height: a million leaves


@pytest.fixture(scope="module")
def small() -> StoredTree:
    return StoredTree(9)


@pytest.fixture(scope="module")
def large() -> StoredTree:
    return StoredTree(LARGE)


def test_hashes_are_those_of_rfc_6962() -> None:
    """Known answers, from the empty tree and the empty leaf."""
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert node_hash(leaf_hash(b""), leaf_hash(b"\x00")).hex() == (
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    )


def test_roots_and_proofs_are_those_of_the_recursive_definition(small: StoredTree) -> None:
    for size in range(70):
        entries = [entry(number) for number in range(size)]
        assert merkle.root(size, small) == tree(entries)
        for index in range(size):
            assert list(merkle.inclusion(index, size, small)) == path_to(index, entries)
        for old in range(1, size + 1):
            assert list(merkle.consistency(old, size, small)) == consistency(old, entries)


def test_every_inclusion_proof_up_to_300(small: StoredTree) -> None:
    for size in range(1, 301):
        root = merkle.root(size, small)
        for index in range(size):
            verify_inclusion(small(0, index), index, size, proof := merkle.inclusion(index, size, small), root)
            assert len(proof) <= (size - 1).bit_length()
            with pytest.raises(IntegrityError):  # of another entry
                verify_inclusion(small(0, index), (index + 1) % (size + 1), size, proof, root)


def test_every_consistency_proof_up_to_300(small: StoredTree) -> None:
    roots = [merkle.root(size, small) for size in range(301)]
    for new in range(301):
        for old in range(new + 1):
            proof = merkle.consistency(old, new, small)
            verify_consistency(old, roots[old], new, roots[new], proof)
            if old:
                with pytest.raises(IntegrityError):  # of another older log
                    verify_consistency(old, roots[old - 1], new, roots[new], proof)


def test_proofs_of_random_trees_up_to_a_million(large: StoredTree) -> None:
    draw = random.Random(6962)
    for _ in range(1500):
        size = draw.randint(1, draw.choice([1 << LARGE, 1 << 12]))
        index, old = draw.randrange(size), draw.randint(0, size)
        root = merkle.root(size, large)
        verify_inclusion(large(0, index), index, size, merkle.inclusion(index, size, large), root)
        older = merkle.root(old, large)
        verify_consistency(old, older, size, root, merkle.consistency(old, size, large))


def flip(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_changed_bit_of_an_inclusion_proof_is_found(draw: st.DataObject) -> None:
    size = draw.draw(st.integers(1, 512))
    index = draw.draw(st.integers(0, size - 1))
    proof, root, here = merkle.inclusion(index, size, _TREE), merkle.root(size, _TREE), _TREE(0, index)
    bit = draw.draw(st.integers(0, 255))
    refused(verify_inclusion, flip(here, bit), index, size, proof, root)
    refused(verify_inclusion, here, index, size, proof, flip(root, bit))
    refused(verify_inclusion, here, index, size, [*proof, proof[0] if proof else root], root)
    for at in range(len(proof)):
        changed = [*proof[:at], flip(proof[at], bit), *proof[at + 1 :]]
        refused(verify_inclusion, here, index, size, changed, root)
        refused(verify_inclusion, here, index, size, [*proof[:at], *proof[at + 1 :]], root)
    for one in range(10):
        refused(verify_inclusion, here, index ^ 1 << one, size, proof, root)
        refused_unless_of_one_shape(
            sides(index, size), sides(index, size ^ 1 << one), here, index, size ^ 1 << one, proof, root
        )


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_changed_bit_of_a_consistency_proof_is_found(draw: st.DataObject) -> None:
    new = draw.draw(st.integers(1, 512))
    old = draw.draw(st.integers(1, new))
    proof = list(merkle.consistency(old, new, _TREE))
    before, after = merkle.root(old, _TREE), merkle.root(new, _TREE)
    bit = draw.draw(st.integers(0, 255))
    refused(verify_consistency, old, flip(before, bit), new, after, proof)
    refused(verify_consistency, old, before, new, flip(after, bit), proof)
    refused(verify_consistency, old, before, new, after, [*proof, proof[0] if proof else after])
    for at in range(len(proof)):
        changed = [*proof[:at], flip(proof[at], bit), *proof[at + 1 :]]
        refused(verify_consistency, old, before, new, after, changed)
        refused(verify_consistency, old, before, new, after, [*proof[:at], *proof[at + 1 :]])
    for one in range(10):
        for sizes in ((old ^ 1 << one, new), (old, new ^ 1 << one)):
            check = (verify_consistency, sizes[0], before, sizes[1], after, proof)
            if 0 < sizes[0] <= sizes[1] and turns(*sizes) == turns(old, new):
                check[0](*check[1:])
            else:
                refused(*check)


_TREE = StoredTree(9)


def refused(check: Callable[..., None], *arguments: object) -> None:
    with pytest.raises(IntegrityError):
        check(*arguments)


def refused_unless_of_one_shape(true: str | None, claimed: str | None, *arguments: object) -> None:
    """Trees of several sizes put one leaf on a path of one form: only the signed size tells them apart.

    In a file the size is signed with the root, and any change of it is found: see test_proof_files.
    """
    if claimed != true:
        refused(verify_inclusion, *arguments)
    else:
        verify_inclusion(*arguments)


def sides(index: int, size: int) -> str | None:
    """On which side each sibling of the path stands, from the root down."""
    if index >= size:
        return None
    if size == 1:
        return ""
    k = 1 << ((size - 1).bit_length() - 1)
    return f"r{sides(index, k)}" if index < k else f"l{sides(index - k, size - k)}"


def turns(old: int, new: int, whole: bool = True) -> str:
    """The way of SUBPROOF from the root down: trees whose ways are one differ in their signed sizes alone."""
    if old == new:
        return "whole" if whole else "part"
    k = 1 << ((new - 1).bit_length() - 1)
    return f"r{turns(old, k, whole)}" if old <= k else f"l{turns(old - k, new - k, False)}"


def test_a_frontier_grows_as_the_tree_does(small: StoredTree) -> None:
    edge = merkle.Frontier(0, [])
    for size in range(300):
        assert edge.root == merkle.root(size, small)
        assert edge == merkle.Frontier.read(size, small)
        for node, value in edge.append(small(0, size)):
            assert value == small(*node)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_there_is_no_proof_of_an_entry_that_is_not_there(index: int, size: int, small: StoredTree) -> None:
    with pytest.raises(ConfigError, match="no entry"):
        merkle.inclusion(index, size, small)
    refused(verify_inclusion, bytes(32), index, size, (), bytes(32))


def test_a_log_does_not_shrink(small: StoredTree) -> None:
    with pytest.raises(ConfigError, match="does not continue"):
        merkle.consistency(3, 2, small)
    with pytest.raises(ConfigError, match="at its edge"):
        merkle.Frontier(3, [bytes(32)])
