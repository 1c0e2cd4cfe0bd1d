"""MNIST's files: found locally, in the cache or at a mirror, and believed only by their digest."""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hauberk.core.errors import DataError, EnvironmentFailure, IntegrityError
from hauberk.datasets import idx

ASKED_FOR = os.environ.get("HAUBERK_DATA")  # before the fixtures of this folder take it away

IMAGES = bytes(range(3 * 2 * 4))
LABELS = bytes([1, 0, 1])
IMAGE_CONTENT = b"\0\0\x08\x03" + struct.pack(">3i", 3, 2, 4) + IMAGES
LABEL_CONTENT = b"\0\0\x08\x01" + struct.pack(">i", 3) + LABELS
IMAGE_NAME, LABEL_NAME = "images.gz", "labels.gz"


def pinned(name: str, content: bytes) -> idx.IdxFile:
    return idx.IdxFile(name, len(content), hashlib.sha256(content).hexdigest())


def source(*mirrors: str, images: bytes = IMAGE_CONTENT) -> idx.IdxSource:
    files = (pinned(IMAGE_NAME, images), pinned(LABEL_NAME, LABEL_CONTENT))
    return idx.IdxSource("tiny", "tiny", mirrors, {"train": files}, ("no", "yes"))


def publish(folder: Path, images: bytes | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / IMAGE_NAME).write_bytes(gzip.compress(IMAGE_CONTENT) if images is None else images)
    (folder / LABEL_NAME).write_bytes(gzip.compress(LABEL_CONTENT))
    return folder


def cached(tmp_path: Path) -> set[str]:
    return {one.name for one in (tmp_path / "cache").rglob("*") if one.is_file()}


@pytest.fixture
def offline() -> str:
    """An address at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}/"


def check(found: object) -> None:
    assert isinstance(found, idx.Dataset)
    assert found.name == "tiny/train"
    assert torch.equal(found.images, torch.arange(24).view(3, 1, 2, 4) / 255)
    assert found.labels.tolist() == [1, 0, 1]
    assert found.classes == ("no", "yes")


class TestWhere:
    def test_the_named_folder_comes_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: str
    ) -> None:
        publish(tmp_path / "data" / "tiny")
        publish(tmp_path / "cache" / "tiny", images=b"spoilt")
        monkeypatch.setenv("HAUBERK_DATA", str(tmp_path / "data"))
        check(idx.load(source(offline), "train"))

    def test_then_the_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: str) -> None:
        publish(tmp_path / "cache" / "tiny")
        monkeypatch.setenv("HAUBERK_DATA", str(tmp_path / "empty"))
        check(idx.load(source(offline), "train"))

    def test_then_a_mirror_which_fills_the_cache(self, tmp_path: Path, mirror: tuple[str, Path]) -> None:
        address, folder = mirror
        publish(folder)
        check(idx.load(source(address), "train"))
        assert cached(tmp_path) == {IMAGE_NAME, LABEL_NAME}
        (folder / IMAGE_NAME).unlink()
        check(idx.load(source(address), "train"))

    def test_a_silent_or_empty_mirror_is_passed_over(
        self, tmp_path: Path, mirror: tuple[str, Path], offline: str
    ) -> None:
        address, folder = mirror
        publish(folder)
        check(idx.load(source(offline, f"{address}nowhere/", address), "train"))

    def test_the_cache_lies_in_the_users_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert idx.cache_folder() == tmp_path / "cache"
        monkeypatch.delenv("HAUBERK_CACHE")
        assert idx.cache_folder() == tmp_path / "home" / ".cache" / "hauberk"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert idx.cache_folder() == tmp_path / "xdg" / "hauberk"

    def test_without_network_the_hint_says_what_to_do(self, tmp_path: Path, offline: str) -> None:
        with pytest.raises(EnvironmentFailure, match="could not download tiny") as caught:
            idx.load(source(offline, offline), "train")
        assert f"HAUBERK_DATA to a folder that holds tiny/{IMAGE_NAME}" in str(caught.value.hint)
        assert "'digits'" in str(caught.value.hint)
        assert "\n" not in str(caught.value)
        assert cached(tmp_path) == set()

    def test_without_mirrors_there_is_still_a_clear_answer(self) -> None:
        with pytest.raises(EnvironmentFailure, match="could not download tiny"):
            idx.load(source(), "train")


def truncated() -> bytes:
    return gzip.compress(IMAGE_CONTENT)[:-20]


def changed() -> bytes:
    return gzip.compress(IMAGE_CONTENT[:-1] + b"\xff")


def longer() -> bytes:
    return gzip.compress(IMAGE_CONTENT + b"\0")


def not_gzip() -> bytes:
    return b"<html>please sign in to this network</html>"


DAMAGE = [truncated, changed, longer, not_gzip, bytes]


class TestBelief:
    @pytest.mark.parametrize("damage", DAMAGE)
    def test_a_wrong_download_is_refused_and_never_cached(
        self, tmp_path: Path, mirror: tuple[str, Path], damage: Callable[[], bytes]
    ) -> None:
        address, folder = mirror
        publish(folder, damage())
        with pytest.raises(IntegrityError, match=IMAGE_NAME):
            idx.load(source(address), "train")
        assert cached(tmp_path) == set()

    @pytest.mark.parametrize("damage", DAMAGE)
    @pytest.mark.parametrize("place", ["data", "cache"])
    def test_a_wrong_local_file_is_refused_and_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, damage: Callable[[], bytes]
    ) -> None:
        folder = publish(tmp_path / place / "tiny", damage())
        monkeypatch.setenv("HAUBERK_DATA", str(tmp_path / "data"))
        with pytest.raises(IntegrityError, match=str(folder / IMAGE_NAME)) as caught:
            idx.load(source(), "train")
        assert "delete it" in str(caught.value.hint)

    def test_any_gzip_of_the_right_content_is_accepted(self, tmp_path: Path) -> None:
        for level in (0, 9):
            publish(tmp_path / "cache" / "tiny", gzip.compress(IMAGE_CONTENT, level, mtime=level))
            check(idx.load(source(), "train"))

    def test_a_bomb_is_not_inflated(self, tmp_path: Path) -> None:
        maker = zlib.compressobj(9, zlib.DEFLATED, 31)
        block = b"\0" * (1 << 20)
        bomb = b"".join([maker.compress(block) for _ in range(64)] + [maker.flush()])
        publish(tmp_path / "cache" / "tiny", bomb)
        tracemalloc.start()
        try:
            with pytest.raises(IntegrityError):
                idx.load(source(), "train")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(bomb) < 1 << 17
        assert peak < 1 << 20  # of 64 MiB

    def test_an_endless_download_is_cut(self, tmp_path: Path, mirror: tuple[str, Path]) -> None:
        address, folder = mirror
        publish(folder, b"\x1f\x8b" + b"\0" * (8 << 20))
        with pytest.raises(IntegrityError):
            idx.load(source(address), "train")
        assert cached(tmp_path) == set()

    def test_a_folder_in_the_place_of_a_file_is_one_clear_line(self, tmp_path: Path) -> None:
        (tmp_path / "cache" / "tiny" / IMAGE_NAME).mkdir(parents=True)
        with pytest.raises(DataError, match="is a folder"):
            idx.load(source(), "train")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x0d\x01" + struct.pack(">i", 1) + b"\0" * 4,  # floats
        b"\x89PNG and so on",
        b"\0\0\x08\x03" + struct.pack(">2i", 3, 2),  # sizes cut off
        b"\0\0\x08\x03" + struct.pack(">3i", 3, 2, 4) + b"\0" * 23,
        b"\0\0\x08\x03" + struct.pack(">3i", 3, 2, 4) + b"\0" * 25,
        b"\0\0\x08\x02" + struct.pack(">2i", -3, -2) + b"\0" * 6,
    ],
)
def test_content_that_is_no_idx_is_refused_even_when_it_is_pinned(tmp_path: Path, content: bytes) -> None:
    publish(tmp_path / "cache" / "tiny", gzip.compress(content))
    with pytest.raises(DataError):
        idx.load(source(images=content), "train")


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_the_published_files_are_what_is_pinned(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(ASKED_FOR or "none") / name
    if not folder.is_dir():
        reason = f"no {name}; set HAUBERK_DATA to a folder that holds it"
        if os.environ.get("HAUBERK_CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    monkeypatch.setenv("HAUBERK_DATA", str(ASKED_FOR))
    found = idx.load(idx.MNIST if name == "mnist" else idx.FASHION, "test")
    assert found.images.shape == (10_000, 1, 28, 28)
    assert len(found.classes) == 10
    if name == "mnist":  # counts of the digits 0 to 9, as published with the data
        counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        assert found.labels.bincount().tolist() == counts
    else:
        assert found.labels.bincount().tolist() == [1000] * 10
