"""Paths, widths and bytes of tiles, by the examples of the specification and by counting."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from merkle_trees import StoredTree

from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.ledger import tiles
from hauberk.ledger.tiles import Tile, TileHashes


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 999), "tile/0/999"),
        (Tile(2, 1000, 1), "tile/2/x001/000.p/1"),
        (Tile(None, 273, 112), "tile/entries/273.p/112"),
        (Tile(None, 1234), "tile/entries/x001/234"),
    ],
)
def test_paths(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert Tile.parse(path) == tile
    assert tile.full == Tile(tile.level, tile.index)


@pytest.mark.parametrize(
    "path",
    [
        "tile", "tile/0", "tile/0/", "tile/0/1", "tile/0/0001", "tile/0/x000/001", "tile/0/001/002",
        "tile/0/x001", "tile/0/" + "x001/" * 2000 + "001", "tile/0/000.p/256", "tile/0/000.p/0",
        "tile/0/000.p/08", "tile/0/000.p/", "tile/00/000", "tile/8/000", "tile/-1/000", "tile/entries/000/",
        "/tile/0/000", "tile/0/000\n", "tile/0/٠٠٠", "tile/../checkpoint",
    ],
)  # fmt: skip
def test_what_is_no_path_of_a_tile(path: str) -> None:
    with pytest.raises(DataError, match="no tile has the path"):
        Tile.parse(path)


def test_a_log_of_70000_entries_as_the_specification_counts_it() -> None:
    found = list(tiles.tiles(70_000))
    assert [one for one in found if one.level == 0 and one.width < 256] == [Tile(0, 273, 112)]
    assert sum(one.level == 0 and one.width == 256 for one in found) == 273
    assert [one for one in found if one.level == 1] == [Tile(1, 0), Tile(1, 1, 17)]
    assert [one for one in found if one.level == 2] == [Tile(2, 0, 1)]
    assert not [one for one in found if one.level is not None and one.level > 2]
    assert sum(one.width for one in found if one.level is None) == 70_000


def test_a_log_of_256_entries_has_a_full_tile_and_one_of_width_1() -> None:
    assert [one for one in tiles.tiles(256) if one.level is not None] == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles.tiles(0)) == []


@given(st.integers(0, 3000), st.integers(0, 3000))
@settings(max_examples=150, deadline=None)
def test_what_grows_is_what_was_not_there(one: int, other: int) -> None:
    old, new = sorted((one, other))
    assert set(tiles.grown(old, new)) == set(tiles.tiles(new)) - set(tiles.tiles(old))


def published(tree: StoredTree, size: int) -> dict[str, bytes]:
    """The tiles of hashes, by the formula of the specification."""
    found = {}
    for level in range(8):
        count = size >> 8 * level
        for index in range(-(-count // 256)):
            width = min(256, count - 256 * index)
            hashes = [tree(8 * level, 256 * index + at) for at in range(width)]
            found[Tile(level, index, width).path] = b"".join(hashes)
    return found


@pytest.fixture(scope="module")
def tree() -> StoredTree:
    return StoredTree(17)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 65_535, 65_536, 65_537, 70_000, 131_072])
def test_every_subtree_is_found_in_the_tiles(size: int, tree: StoredTree) -> None:
    files = published(tree, size)
    assert set(files) == {one.path for one in tiles.tiles(size) if one.level is not None}
    hashes = TileHashes(size, lambda tile: files[tile.path])
    for level in range(size.bit_length()):
        count = size >> level
        for index in {0, 1, count // 2, count - 1} - {count}:
            if index < count:
                assert hashes(level, index) == tree(level, index)
        with pytest.raises(ConfigError, match="no subtree"):
            hashes(level, count)


def test_a_tile_of_the_wrong_length_is_refused(tree: StoredTree) -> None:
    for data in (b"", bytes(32 * 6), bytes(32 * 7 - 1), bytes(32 * 8)):
        with pytest.raises(IntegrityError, match="224 bytes"):
            TileHashes(7, lambda tile, data=data: data)(0, 6)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
@settings(max_examples=60, deadline=None)
def test_bundles_come_back(entries: list[bytes]) -> None:
    data = tiles.encode_bundle(entries)
    assert tiles.decode_bundle(data, len(entries)) == entries
    for width, changed in (
        (len(entries) + 1, data),
        (len(entries) - 1, data),
        (len(entries), data[:-1]),
        (len(entries), data + b"\0"),
        (len(entries), data + b"\0\0"),
    ):
        with pytest.raises(IntegrityError, match="whole entries"):
            tiles.decode_bundle(changed, width)


def test_a_bundle_by_hand_and_the_longest_entry() -> None:
    assert tiles.encode_bundle([b"ab", b"", b"c"]) == b"\0\2ab\0\0\0\1c"
    longest = bytes(65_535)
    assert tiles.decode_bundle(tiles.encode_bundle([longest]), 1) == [longest]
    with pytest.raises(DataError, match="65535 bytes"):
        tiles.encode_bundle([bytes(65_536)])


@given(st.binary(max_size=600), st.integers(1, 256), st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_garbage_is_refused_in_one_way(data: bytes, width: int, text: str) -> None:
    for read in (tiles.decode_bundle, tiles.decode_hashes):
        with suppress(IntegrityError):
            read(data, width)
    with suppress(DataError):
        Tile.parse(text)


@pytest.mark.parametrize("wrong", [(8, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (None, 0, 257)])
def test_tiles_that_cannot_be(wrong: tuple[int | None, int, int]) -> None:
    with pytest.raises(ConfigError, match="a tile"):
        Tile(*wrong)


def test_few_tiles_are_read_and_kept(tree: StoredTree) -> None:
    """A proof takes the tiles on its way and at the right edge, once each."""
    from hauberk.ledger import merkle

    files = published(tree, 70_000)
    read: list[str] = []

    def get(tile: Tile) -> bytes:
        read.append(tile.path)
        return files[tile.path]

    hashes = TileHashes(70_000, get)
    merkle.inclusion(12_345, 70_000, hashes)
    assert len(read) == len(set(read)) <= 5
    merkle.inclusion(12_346, 70_000, hashes)
    assert len(read) <= 5
