"""Every kind of damage to a sealed file: one clear error, no crash, no memory, and never a wrong tensor."""

from __future__ import annotations

import errno
import functools
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import packages
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hauberk.core.errors import DataError, EnvironmentFailure, IntegrityError, NoIdentityMatched
from hauberk.crypto import age
from hauberk.crypto.floe import HEADER_BYTES
from hauberk.protection.seal import check, extract, inspect, reseal, rewrap, seal
from hauberk.protection.seal import package as source
from hauberk.protection.seal.container import SealedFile, Unlocked
from hauberk.protection.seal.index import Index
from hauberk.protection.seal.layout import Preamble, body_bytes
from hauberk.protection.seal.opening import Opened
from hauberk.protection.seal.sealing import write_header

ME = [packages.IDENTITY]
READERS = [packages.IDENTITY.recipient]


@functools.cache
def tiny() -> dict[str, tuple[str, list[int], bytes]]:
    return {name: packages.TENSORS[name] for name in ("scalar", "half", "whole")}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {"weights.safetensors": packages.weights(tiny()), "notes/猫.txt": b"short"}
    return packages.write_package(tmp_path_factory.mktemp("package") / "small", files)


@pytest.fixture(scope="module")
def sealed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sealed") / "file"
    seal(package, path, READERS, segment_bytes=512)
    return path.read_bytes()


@pytest.fixture
def opened_as(tmp_path: Path) -> Callable[[bytes], Opened]:
    """Check bytes as if they were a sealed file."""
    path = tmp_path / "changed"

    def call(data: bytes) -> Opened:
        path.write_bytes(data)
        return check(path, ME, threads=1)

    return call


def places_of(data: bytes, folder: Path) -> tuple[int, list[tuple[int, int]]]:
    """Where the body starts, and from where to where each message lies in the file."""
    path = folder / "whole"
    path.write_bytes(data)
    with SealedFile(path) as file, Unlocked(file, ME) as unlocked:
        start, floe = file.header.size, file.preamble.floe
        found = [
            (start + one.at, start + one.at + floe.message_bytes(one.size))
            for one in [*unlocked.files, *unlocked.tensors]
        ]
    return start, found


def test_every_flipped_byte_is_refused(sealed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "spoilt"
    path.write_bytes(sealed)
    assert check(path, ME, threads=1).tensors == 3
    with open(path, "r+b", buffering=0) as file:
        for place, byte in enumerate(sealed):
            os.pwrite(file.fileno(), bytes([byte ^ 1 << place % 8]), place)
            with pytest.raises(IntegrityError, match="spoilt"):  # the file's name stands in every message
                check(path, ME, threads=1)
            os.pwrite(file.fileno(), bytes([byte]), place)
    assert check(path, ME, threads=1).tensors == 3


def test_every_truncation_and_every_addition_is_refused(
    sealed: bytes, opened_as: Callable[[bytes], Opened], tmp_path: Path
) -> None:
    path = tmp_path / "cut"
    path.write_bytes(sealed)
    for length in reversed(range(len(sealed))):
        os.truncate(path, length)
        with pytest.raises(IntegrityError):
            check(path, ME, threads=1)
    for more in (b"\x00", sealed, b"\n"):
        with pytest.raises(IntegrityError):
            opened_as(sealed + more)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_edit_goes_through(data: st.DataObject, sealed: bytes, opened_as: Callable[[bytes], Opened]) -> None:
    """Pieces taken out, doubled, moved and replaced."""
    changed = sealed
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(changed)))
        end = data.draw(st.integers(begin, min(len(changed), begin + 300)))
        to = data.draw(st.integers(0, len(changed)))
        piece = data.draw(st.sampled_from([changed[begin:end], b"", b"\x00" * (end - begin)]))
        rest = changed[:begin] + changed[end:]
        changed = rest[:to] + piece + rest[to:]
    if changed == sealed:
        return
    with pytest.raises(IntegrityError):
        opened_as(changed)


def test_messages_do_not_change_places(
    sealed: bytes, package: Path, opened_as: Callable[[bytes], Opened], tmp_path: Path
) -> None:
    """Moved, doubled, left out, or from another sealing of the same package: by size nothing would differ."""
    again = tmp_path / "again"
    seal(package, again, READERS, segment_bytes=512)
    other = again.read_bytes()
    start, found = places_of(sealed, tmp_path)
    assert len(other) == len(sealed)
    assert opened_as(other)
    for at, (begin, end) in enumerate(found):
        mixed = sealed[:begin] + other[begin:end] + sealed[end:]
        with pytest.raises(IntegrityError):
            opened_as(mixed)
        for begin2, end2 in found[at + 1 :]:
            swapped = (
                sealed[:begin] + sealed[begin2:end2] + sealed[end:begin2] + sealed[begin:end] + sealed[end2:]
            )
            with pytest.raises(IntegrityError):
                opened_as(swapped)
            doubled = sealed[:begin2] + sealed[begin:end] + sealed[end2:]
            with pytest.raises(IntegrityError):
                opened_as(doubled)
        with pytest.raises(IntegrityError):
            opened_as(sealed[:begin] + sealed[end:])
    with pytest.raises(IntegrityError):  # the header of one file before the body of another
        opened_as(sealed[:start] + other[start:])


def test_wrong_key_and_no_key(sealed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(sealed)
    for identities in ([age.generate("x25519")], [age.generate()], [packages.phrase()], []):
        with pytest.raises(NoIdentityMatched, match="none of the given keys"):
            check(path, identities)


def forged(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A file whose sealer has every key and lies in the index."""
    import json

    index_text: list[bytes] = []
    honest = Index.to_bytes

    def lying(index: Index) -> bytes:
        document = json.loads(honest(index))
        change(document)
        text = json.dumps(document).encode()
        index_text.append(text)
        return text

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Index, "to_bytes", lying)
        seal(packages.write_package(path.parent / "package"), path, READERS, segment_bytes=4096)
    return path


def _size(size: object) -> Callable[[dict[str, Any]], Any]:
    return lambda index: index["files"][0].update(size=size)


def _name(name: object) -> Callable[[dict[str, Any]], Any]:
    return lambda index: index["files"][1].update(name=name)


def _header(old: str, new: str) -> Callable[[dict[str, Any]], Any]:
    def change(index: dict[str, Any]) -> None:
        assert old in index["weights"]["header"]
        index["weights"]["header"] = index["weights"]["header"].replace(old, new)

    return change


LIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a name that leads out": _name("../evil"),
    "an absolute name": _name("/tmp/evil"),
    "a name with a drive": _name("C:evil"),
    "a name with a backslash": _name("..\\evil"),
    "an empty part": _name("notes//x"),
    "a name that is a folder too": lambda index: index["files"].append(
        {**index["files"][1], "name": "model.json/x"}
    ),
    "the same name twice": _name("model.json"),
    "the weights' name": _name("weights.safetensors"),
    "no name": _name(7),
    "no manifest": lambda index: index["files"][0].update(name="other.json"),
    "a size of exabytes": _size(1 << 60),
    "a size beyond all numbers": _size(10**4000),
    "a negative size": _size(-1),
    "a size that is a truth": _size(True),
    "a fractional size": _size(1.5),
    "a tensor of exabytes": _header('"shape": [40], "data_offsets": [31, 191]', f'"shape": [{1 << 58}], '
                                    f'"data_offsets": [31, {31 + (1 << 60)}]'),
    "a shape that does not fit": _header('"shape": [40]', '"shape": [41]'),
    "a dtype that is none": _header('"BOOL"', '"BOOM"'),
    "a gap": _header("[15, 31]", "[16, 32]"),
    "an unknown key": lambda index: index.update(more=1),
    "a missing key": lambda index: index.pop("weights"),
    "a tag that is another": lambda index: index["files"][0].update(tag="00" * 32),
    "a tag too few": lambda index: index["weights"]["tags"].pop(),
    "a list in place of all": lambda index: index.update(files={}),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_an_index_that_lies_is_refused(lie: str, tmp_path: Path) -> None:
    """The sealer knows all keys, so everything verifies; the reader must still not believe it."""
    path = forged(tmp_path / "file", LIES[lie])
    before = {one for one in tmp_path.rglob("*")}
    tracemalloc.start()
    for attempt in (
        lambda: check(path, ME),
        lambda: extract(path, ME, tmp_path / "out"),
        lambda: rewrap(path, ME, add=[age.generate("x25519").recipient]),
    ):
        with pytest.raises(IntegrityError):
            attempt()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    assert {one for one in tmp_path.rglob("*")} == before


def test_sizes_behind_the_header_are_not_believed(tmp_path: Path) -> None:
    """A preamble may be written without any key."""
    file_key = age.new_file_key()
    head = write_header(file_key, READERS, os.urandom)
    for segment, index, body in (
        (96, 1 << 26, 64), (96, 1 << 31, 1 << 40), (0, 10, 1000),
        (1 << 25, 10, 1000), (96, 10, 1 << 63), (96, 10, 0),
    ):  # fmt: skip
        preamble = Preamble(bytes(32), segment, index, body)
        path = tmp_path / "file"
        path.write_bytes(head + preamble.packed())
        tracemalloc.start()
        with pytest.raises(IntegrityError):
            check(path, ME)
        assert tracemalloc.get_traced_memory()[1] < 20e6
        tracemalloc.stop()
    whole = Preamble(bytes(32), 96, 1 << 26, 64)
    path.write_bytes(head + whole.packed())
    with pytest.raises(IntegrityError, match="larger than the file"):
        check(path, ME)
    assert body_bytes(whole.floe, [0]) == 64 + HEADER_BYTES + 32


def test_what_is_no_sealed_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (
        b"",
        b"# README\n",
        b"age-encryption.org/v1\n",
        b"\x00" * 5000,
        b"age-encryption.org/v2\n-> x\n",
    ):
        path.write_bytes(content)
        with pytest.raises(IntegrityError, match="header"):
            inspect(path)
    with pytest.raises(DataError, match="no sealed file"):
        inspect(tmp_path / "none")
    with pytest.raises((DataError, EnvironmentFailure), match="folder"):
        inspect(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe"):
        inspect(tmp_path / "pipe")


def test_a_file_that_shrinks_while_it_is_read(sealed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(sealed)
    with SealedFile(path) as file, Unlocked(file, ME) as unlocked:
        os.truncate(path, len(sealed) - 10)
        with pytest.raises(IntegrityError, match="cut short"):
            list(unlocked.pour(unlocked.tensors))


# --- what is sealed


def test_a_damaged_package_is_not_sealed(tmp_path: Path) -> None:
    def attempt(spoil: Callable[[Path], Any], kind: type[Exception], match: str) -> None:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        package = packages.write_package(folder / "package")
        spoil(package)
        with pytest.raises(kind, match=match):
            seal(package, folder / "out", READERS)
        assert [one.name for one in folder.iterdir()] == ["package"]

    def flip(name: str, place: int = -1) -> Callable[[Path], Any]:
        def spoil(package: Path) -> None:
            data = bytearray((package / name).read_bytes())
            data[place] ^= 1
            (package / name).write_bytes(data)

        return spoil

    def linked(package: Path) -> None:
        (package.parent / "package" / "notes" / "猫.txt").unlink()
        (package / "notes" / "猫.txt").symlink_to("/etc/hostname")

    def looped(package: Path) -> None:
        (package / "notes" / "猫.txt").unlink()
        (package / "notes" / "猫.txt").symlink_to("猫.txt")

    def pipe(package: Path) -> None:
        (package / "weights.safetensors").unlink()
        os.mkfifo(package / "weights.safetensors")

    def cut(package: Path) -> None:
        os.truncate(package / "weights.safetensors", 300)

    def giant(package: Path) -> None:
        data = (package / "weights.safetensors").read_bytes()
        (package / "weights.safetensors").write_bytes((1 << 62).to_bytes(8, "little") + data[8:])

    attempt(flip("weights.safetensors"), IntegrityError, "SHA-256 differs")
    attempt(flip("notes/猫.txt"), IntegrityError, "SHA-256 differs")
    attempt(flip("model.json", 60), IntegrityError, "digest does not match")
    attempt(linked, DataError, "link that leads out")
    attempt(looped, IntegrityError, "cannot be read")
    attempt(pipe, DataError, "not an ordinary file")
    attempt(cut, IntegrityError, "has 300 bytes instead of")
    attempt(giant, DataError, "claims a header")
    attempt(lambda package: (package / "notes" / "猫.txt").unlink(), IntegrityError, "is missing")
    attempt(lambda package: (package / "model.json").unlink(), DataError, "is missing")
    for name in ("../outside", "/etc/hostname", "a\\b"):
        lying = tmp_path / f"lying{len(name)}"

        def lie(manifest: dict[str, Any], name: str = name) -> None:
            manifest["files"][name] = {"sha256": "00" * 32, "size_bytes": 1}

        packages.write_package(lying / "package", change=lie)
        with pytest.raises(DataError, match="leads out"):
            seal(lying / "package", lying / "out", READERS)


def test_a_package_that_changes_while_it_is_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest is taken of the very bytes that are sealed."""
    package = packages.write_package(tmp_path / "package")
    honest = source.Source.fill

    def late(self: source.Source, start: int, out: memoryview) -> None:
        honest(self, start, out)
        out[-1] ^= 1

    monkeypatch.setattr(source.Source, "fill", late)
    with pytest.raises(IntegrityError, match="SHA-256 differs"):
        seal(package, tmp_path / "out", READERS)
    assert [one.name for one in tmp_path.iterdir()] == ["package"]


@pytest.mark.parametrize("call", ["fstatvfs", "pwrite", "fsync"])
def test_a_full_disk_leaves_what_was_there(
    call: str, sealed: bytes, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full before, while, or after the bytes are written."""

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def none_left(_descriptor: int) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=0, f_frsize=4096)

    path = tmp_path / "file"
    path.write_bytes(sealed)
    monkeypatch.setattr(os, call, none_left if call == "fstatvfs" else full)
    other = age.generate("x25519").recipient
    attempts: list[Callable[[], object]] = [
        lambda: seal(package, path, READERS, overwrite=True),
        lambda: reseal(path, ME, READERS),
    ]
    if call != "fstatvfs":  # which these two do not ask
        attempts += [
            lambda: rewrap(path, ME, add=[other]),
            lambda: extract(path, ME, tmp_path / "out"),
        ]
    for attempt in attempts:
        with pytest.raises(EnvironmentFailure, match="No space left"):
            attempt()
        assert [one.name for one in tmp_path.iterdir()] == ["file"]
        assert path.read_bytes() == sealed
