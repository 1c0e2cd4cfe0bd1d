"""Zip and tar: two directories that must agree, entries that stay inside, and bombs that are not unpacked."""

from __future__ import annotations

import gzip
import io
import pickle
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from scan_files import (
    TENSORS,
    Bomb,
    good_pickle,
    rules_of,
    safetensors_file,
    torch_like,
    written,
    zipped,
)

from hauberk.protection.scan import Limits, scan


def test_ordinary_archives_pass(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        data = zipped({"a.pkl": good_pickle(), "folder/b.txt": b"words\n", "folder/": b""}, method)
        assert rules_of(written(tmp_path / "a.zip", data)) == set()


def test_an_archive_written_to_a_pipe_passes(tmp_path: Path) -> None:
    """Its sizes stand behind the entries, not before them."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        archive.writestr("a.pkl", good_pickle())
        archive.writestr("b.txt", "words\n")
    assert rules_of(written(tmp_path / "a.zip", pipe.data)) == set()


@pytest.mark.parametrize(
    "name", ["../a.txt", "/etc/a.txt", "a/../../b.txt", "..\\a.txt", "C:\\a.txt", "c:a.txt"]
)
def test_names_that_leave_the_folder(name: str, tmp_path: Path) -> None:
    assert "archive/path" in rules_of(written(tmp_path / "a.zip", zipped({name: b"words\n"})))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert "archive/path" in rules_of(written(tmp_path / "a.tar", stream.getvalue()))


def test_a_tar_with_a_zip_in_it_is_no_zip(tmp_path: Path) -> None:
    """Readers of zip look for its end in the last 64 KB, and the directory before it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("weights.bin")
        data = b"PK\x05\x06" + bytes(range(60))
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    assert rules_of(written(tmp_path / "a.tar", stream.getvalue())) == {"unknown/kind"}


def test_links_and_devices(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        link = zipfile.ZipInfo("a")
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert "archive/link" in rules_of(written(tmp_path / "a.zip", stream.getvalue()))
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            entry = tarfile.TarInfo("a")
            entry.type, entry.linkname = kind, "../../etc/passwd"
            tar.addfile(entry)
        assert "archive/link" in rules_of(written(tmp_path / "a.tar", stream.getvalue()))


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("second", ["archive/data.pkl", "archive/DATA.pkl", "archive\\data.pkl"])
def test_one_name_twice(second: str, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", good_pickle())
        entry = zipfile.ZipInfo("x")
        entry.filename = second
        archive.writestr(entry, good_pickle())
    assert "archive/duplicate" in rules_of(written(tmp_path / "a.pt", stream.getvalue()))


def _central(data: bytes) -> int:
    return data.index(b"PK\x01\x02")


def test_the_two_directories_must_agree(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": b"words\n"}))
    for place, bytes_, what in (
        (30, b"b", "the name"),
        (8, b"\x08", "the method"),
        (18, b"\x07", "the size"),
        (22, b"\x05", "the size"),
        (6, b"\x01", "encrypted"),
    ):
        changed = data[:]
        changed[place : place + 1] = bytes_
        found = scan(written(tmp_path / "a.zip", bytes(changed)))
        assert any(one.rule == "archive/mismatch" and what in one.message for one in found.findings), what


def test_a_stored_entry_of_two_sizes(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": b"words\n"}))
    for place in (22, _central(bytes(data)) + 24):  # unpacked size in both
        data[place : place + 4] = struct.pack("<L", 600)
    assert "archive/mismatch" in rules_of(written(tmp_path / "a.zip", bytes(data)))


def test_entries_that_share_bytes(tmp_path: Path) -> None:
    """The quoted overlap of the small zip bombs: the first entry's data hold the second entry."""
    inner = zipped({"b.txt": b"words\n"})
    data = bytearray(zipped({"a.txt": inner[: inner.index(b"PK\x01\x02")]}))
    start = data.index(b"PK\x03\x04", 4)
    central = bytearray(inner[inner.index(b"PK\x01\x02") : inner.index(b"PK\x05\x06")])
    central[42:46] = struct.pack("<L", start)
    end = data.index(b"PK\x05\x06")
    data[end:end] = central
    end += len(central)
    size = end - _central(bytes(data))
    data[end + 8 : end + 16] = struct.pack("<HHL", 2, 2, size)
    path = written(tmp_path / "a.zip", bytes(data))
    with zipfile.ZipFile(path) as archive:  # a reader that does not look sees two files
        assert archive.namelist() == ["a.txt", "b.txt"]
    assert "archive/overlap" in rules_of(path)


def test_an_entry_that_is_not_listed(tmp_path: Path) -> None:
    hidden = zipped({"evil.pkl": good_pickle()})
    hidden = hidden[: hidden.index(b"PK\x01\x02")]
    data = zipped({"a.txt": b"1\n", "b.txt": b"2\n"})
    second = data.index(b"PK\x03\x04", 4)
    central = _central(data)
    data = bytearray(data[:second] + hidden + data[second:])
    central += len(hidden)
    place = data.index(b"PK\x01\x02", central + 4)
    data[place + 42 : place + 46] = struct.pack("<L", second + len(hidden))
    end = data.index(b"PK\x05\x06")
    data[end + 16 : end + 20] = struct.pack("<L", central)
    path = written(tmp_path / "a.zip", bytes(data))
    with zipfile.ZipFile(path) as archive:
        assert archive.read("b.txt") == b"2\n"
    assert rules_of(path) == {"archive/hidden-entry"}


def test_bombs(tmp_path: Path) -> None:
    zeros = bytes(30 << 20)
    assert "archive/bomb" in rules_of(
        written(tmp_path / "a.zip", zipped({"a.bin": zeros}, zipfile.ZIP_DEFLATED))
    )
    assert "archive/bomb" in rules_of(written(tmp_path / "a.gz", gzip.compress(zeros)))
    assert "archive/bomb" in rules_of(written(tmp_path / "a.z", zlib.compress(zeros)))
    many = {f"{i}.txt": b"" for i in range(50)}
    assert "archive/bomb" in rules_of(written(tmp_path / "b.zip", zipped(many)), limits=Limits(entries=49))
    packed = gzip.compress(bytes(range(256)) * 8)
    budget = Limits(unpacked_bytes=1000)
    assert "archive/bomb" in rules_of(written(tmp_path / "c.gz", packed), limits=budget)


def test_a_size_that_lies_ends_the_unpacking(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.bin": bytes(1 << 20)}, zipfile.ZIP_DEFLATED))
    for place in (22, _central(bytes(data)) + 24):
        data[place : place + 4] = struct.pack("<L", 10)
    assert rules_of(written(tmp_path / "a.zip", bytes(data))) & {"archive/bomb", "archive/mismatch"}


def test_archives_in_archives(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    data = pickle.dumps(Bomb(canary))
    for level in range(4):
        data = zipped({f"{level}.bin": data}, zipfile.ZIP_DEFLATED)
    assert "pickle/dangerous-import" in rules_of(written(tmp_path / "a.zip", gzip.compress(data)))
    for level in range(4):
        data = zipped({f"{level}.bin": data})
    assert rules_of(written(tmp_path / "a.zip", data)) == {"archive/too-deep"}
    assert not canary.exists()


def test_encrypted_entries_and_unknown_methods(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": b"words\n"}))
    locked, odd = data[:], data[:]
    for start, offset in ((0, 6), (_central(bytes(data)), 8)):
        locked[start + offset] |= 1
        odd[start + offset + 2] = 99
    assert rules_of(written(tmp_path / "a.zip", bytes(locked))) == {"archive/encrypted"}
    assert rules_of(written(tmp_path / "b.zip", bytes(odd))) == {"archive/method"}


def test_every_truncation_is_found(tmp_path: Path) -> None:
    data = zipped(torch_like(good_pickle()), zipfile.ZIP_DEFLATED)
    for length in range(1, len(data), 7):
        assert rules_of(written(tmp_path / "a.pt", data[:length]), libraries=False), length


def test_every_byte_flipped_never_crashes(tmp_path: Path) -> None:
    data = bytearray(zipped(torch_like(good_pickle()), zipfile.ZIP_DEFLATED))
    for place in range(len(data)):
        changed = data[:]
        changed[place] ^= 0xFF
        scan(written(tmp_path / "a.pt", bytes(changed)), libraries=False)


@pytest.mark.parametrize("first", ["safetensors", "pickle", "numpy", "text"])
def test_two_kinds_in_one_file(first: str, tmp_path: Path) -> None:
    """What looks harmless from the front, and is a torch file from behind."""
    numpy = b"\x93NUMPY\x01\x00" + struct.pack("<H", 53)
    numpy += b"{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}"[:52].ljust(52) + b"\n"
    front = {
        "safetensors": safetensors_file(TENSORS, bytes(16)),
        "pickle": good_pickle(),
        "numpy": numpy + bytes(8),
        "text": b"# a model card\n",
    }[first]
    canary = tmp_path / "canary"
    back = zipped(torch_like(pickle.dumps(Bomb(canary), 2)))
    found = rules_of(written(tmp_path / "model", front + back), libraries=False)
    assert {"polyglot/two-kinds", "pickle/dangerous-import"} <= found
    assert not canary.exists()


def test_a_zip_that_is_a_tar_too(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.bin": bytes(600)}))
    data[257:265] = b"ustar\x0000"
    assert "polyglot/two-kinds" in rules_of(written(tmp_path / "a.pt", bytes(data)))


def test_an_old_torch_file_in_a_tar(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            data = pickle.dumps(Bomb(tmp_path / "canary") if name == "pickle" else {}, 2)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    found = rules_of(written(tmp_path / "a.pt", stream.getvalue()), libraries=False)
    assert found == {"torch/legacy-tar", "pickle/dangerous-import"}
    assert not (tmp_path / "canary").exists()
