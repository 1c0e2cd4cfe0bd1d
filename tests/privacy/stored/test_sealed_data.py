"""Sealing and opening data: what goes in comes out, other age tools agree, and nothing changed goes through."""

from __future__ import annotations

import hashlib
import io
import os
import random as chance
import tarfile
import tempfile
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyrage
import pytest
import sealed_data_reader as second
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.core.errors import (
    ConfigError,
    DataError,
    EnvironmentFailure,
    IntegrityError,
    NoIdentityMatched,
)
from hauberk.crypto import age
from hauberk.crypto.age.payload import CHUNK_BYTES, TEXT_BYTES, payload_bytes, text_bytes
from hauberk.crypto.secret import Secret
from hauberk.privacy.stored import SealedReader, check, open_to, seal
from hauberk.privacy.stored.recording import sealed_evidence

ME = age.generate("x25519")
ANN = age.generate()  # hybrid
EDGES = [
    0,
    1,
    TEXT_BYTES - 1,
    TEXT_BYTES,
    TEXT_BYTES + 1,
    16 * TEXT_BYTES,
    16 * TEXT_BYTES + 1,
    40 * TEXT_BYTES,
]


def noise(size: int, seed: int = 0) -> bytes:
    return chance.Random(seed).randbytes(size)


def theirs() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.from_str(ME.written())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Names in two languages, an empty file, an empty folder, a name too long for a plain tar header."""
    root = tmp_path / "in"
    for name, data in {
        "a.csv": b"1,2\n", "empty": b"", "猫/图.bin": noise(200_000), "deep/" + "x" * 120 + "/one": b"1",
        "d:e?.txt": b"odd",
    }.items():  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "nothing").mkdir()
    return root


def contents(root: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(root).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in root.rglob("*")
    }


@pytest.mark.parametrize("size", EDGES)
def test_a_file_comes_back_and_is_a_plain_age_file(size: int, tmp_path: Path) -> None:
    data = noise(size)
    (tmp_path / "in").write_bytes(data)
    sealed = seal([tmp_path / "in"], tmp_path / "file", [ME.recipient])
    written = (tmp_path / "file").read_bytes()
    assert sealed.size_bytes == len(written)
    assert pyrage.decrypt(written, [theirs()]) == data
    assert second.read_age(written, ME.written()) == data
    opened = open_to(tmp_path / "file", [ME], tmp_path / "out")
    assert (opened.size_bytes, opened.folder) == (size, False)
    assert (tmp_path / "out").read_bytes() == data


@pytest.mark.parametrize("size", EDGES)
def test_what_another_age_tool_made_opens_here(size: int, tmp_path: Path) -> None:
    data = noise(size, 1)
    recipient = pyrage.x25519.Recipient.from_str(str(ME.recipient))
    (tmp_path / "file").write_bytes(pyrage.encrypt(data, [recipient]))
    open_to(tmp_path / "file", [ME], tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == data


def test_a_folder_comes_back_and_is_a_plain_tar(folder: Path, tmp_path: Path) -> None:
    sealed = seal([folder], tmp_path / "file", [ME.recipient])
    assert (sealed.files, sealed.folder) == (5, True)
    opened = open_to(tmp_path / "file", [ME], tmp_path / "out")
    assert contents(tmp_path / "out") == contents(folder)
    assert opened.files == 5
    text = pyrage.decrypt((tmp_path / "file").read_bytes(), [theirs()])
    found = second.read_folder(text)
    assert {name: one for name, one in found.items() if one is not None} == {
        name: one for name, one in contents(folder).items() if one is not None
    }
    with tarfile.open(fileobj=io.BytesIO(text)) as archive:
        assert len([one for one in archive if one.isfile()]) == 5


def test_several_sources_keep_their_names(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_bytes(b"1")
    seal([folder, tmp_path / "one.txt"], tmp_path / "file", [ANN.recipient, ME.recipient], mixed=True)
    open_to(tmp_path / "file", [ANN], tmp_path / "out")
    assert contents(tmp_path / "out" / "in") == contents(folder)
    assert (tmp_path / "out" / "one.txt").read_bytes() == b"1"
    with pytest.raises(ConfigError, match="same name"):
        seal([folder, tmp_path / "out" / "in"], tmp_path / "twice", [ME.recipient])


def test_the_archive_of_a_sealed_folder_can_itself_be_sealed(folder: Path, tmp_path: Path) -> None:
    """Else it would open as a folder, and not as the file it was."""
    seal([folder], tmp_path / "file", [ME.recipient])
    archive = second.read_age((tmp_path / "file").read_bytes(), ME.written())
    (tmp_path / "folder.tar").write_bytes(archive)
    seal([tmp_path / "folder.tar"], tmp_path / "again", [ME.recipient])
    open_to(tmp_path / "again", [ME], tmp_path / "out")
    assert contents(tmp_path / "out") == {"folder.tar": archive}


def test_a_passphrase_and_a_hybrid_key_open_too(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"text")
    phrase = age.Passphrase(Secret(b"correct horse"), work_factor=8)
    seal([tmp_path / "in"], tmp_path / "file", [phrase])
    assert check(tmp_path / "file", [phrase]).size_bytes == 4
    assert pyrage.passphrase.decrypt((tmp_path / "file").read_bytes(), "correct horse") == b"text"
    seal([tmp_path / "in"], tmp_path / "other", [ANN.recipient])
    assert check(tmp_path / "other", [ANN]).size_bytes == 4
    with pytest.raises(NoIdentityMatched):
        check(tmp_path / "other", [ME])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_place_can_be_read_alone(data: st.DataObject, long_one: tuple[bytes, int]) -> None:
    text = noise(4 * TEXT_BYTES + 100)
    with tempfile.NamedTemporaryFile() as file:
        file.write(long_one[0])
        file.flush()
        with SealedReader(file.name, [ME]) as reader:
            for _ in range(5):
                at = data.draw(st.integers(0, reader.size))
                count = data.draw(st.integers(0, reader.size - at))
                assert reader.read(at, count) == text[at : at + count]
            with pytest.raises(IntegrityError):
                reader.read(reader.size, 1)


@given(st.integers(0, 10**9))
def test_sizes_go_both_ways(size: int) -> None:
    assert text_bytes(payload_bytes(size)) == size


def test_every_changed_byte_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(noise(300))
    seal([tmp_path / "in"], tmp_path / "file", [ME.recipient])
    sealed = (tmp_path / "file").read_bytes()
    (tmp_path / "spoilt").write_bytes(sealed)
    with open(tmp_path / "spoilt", "r+b", buffering=0) as file:
        for place, byte in enumerate(sealed):
            os.pwrite(file.fileno(), bytes([byte ^ 1 << place % 8]), place)
            with pytest.raises(IntegrityError, match="spoilt"):
                open_to(tmp_path / "spoilt", [ME], tmp_path / "out")
            os.pwrite(file.fileno(), bytes([byte]), place)
    assert not (tmp_path / "out").exists()
    assert check(tmp_path / "spoilt", [ME]).size_bytes == 300


@pytest.fixture(scope="module")
def long_one(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int]:
    """A sealed file of five chunks, and where its chunks begin."""
    root = tmp_path_factory.mktemp("long")
    (root / "in").write_bytes(noise(4 * TEXT_BYTES + 100))
    seal([root / "in"], root / "file", [ME.recipient])
    sealed = (root / "file").read_bytes()
    return sealed, sealed.index(b"\n--- ") + 5 + 44 + 16


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts[:4],
        lambda parts: parts[:1],
        lambda parts: parts[1:],
        lambda parts: [parts[1], parts[0], *parts[2:]],
        lambda parts: [*parts[:2], parts[1], *parts[2:]],
        lambda parts: [*parts[:4], parts[3]],
        lambda parts: [*parts, parts[4]],
        lambda parts: [*parts[:4], parts[4][:-1]],
        lambda parts: [*parts, b"\0"],
        lambda parts: [*parts[:4], parts[4][:16]],
        lambda parts: [],
    ],
)
def test_chunks_cannot_be_cut_moved_or_doubled(
    change: Callable[[list[bytes]], list[bytes]], long_one: tuple[bytes, int], tmp_path: Path
) -> None:
    sealed, start = long_one
    parts = [sealed[at : at + CHUNK_BYTES] for at in range(start, len(sealed), CHUNK_BYTES)]
    assert len(parts) == 5
    (tmp_path / "file").write_bytes(sealed[:start] + b"".join(change(parts)))
    with pytest.raises(IntegrityError):
        open_to(tmp_path / "file", [ME], tmp_path / "out")
    assert os.listdir(tmp_path) == ["file"]


def test_every_truncation_is_refused(long_one: tuple[bytes, int], tmp_path: Path) -> None:
    sealed, start = long_one
    for length in [*range(start + 40), *range(start + 40, len(sealed), 9973)]:
        (tmp_path / "file").write_bytes(sealed[:length])
        with pytest.raises(IntegrityError):
            check(tmp_path / "file", [ME])


def archive_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w|", pax_headers={"comment": "hauberk-folder/1"}) as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    one = tarfile.TarInfo(name)
    one.type, one.linkname = kind, link
    return one


@pytest.mark.parametrize(
    "archive",
    [
        archive_of((member("../out.txt"), b"1")),
        archive_of((member("/tmp/out.txt"), b"1")),
        archive_of((member("a/../../b"), b"1")),
        archive_of((member("a\\b"), b"1")),
        archive_of((member("a\nb"), b"1")),
        archive_of((member("link", tarfile.SYMTYPE, "/etc/passwd"), b"")),
        archive_of((member("hard", tarfile.LNKTYPE, "a"), b"")),
        archive_of((member("pipe", tarfile.FIFOTYPE), b"")),
        archive_of((member("disk", tarfile.BLKTYPE), b"")),
        archive_of((member("a"), b"1"), (member("a"), b"2")),
        archive_of((member("a"), b"1"), (member("a/b"), b"2")),
        archive_of((member("a/b"), b"1"), (member("a"), b"2")),
        archive_of((member("a"), b"1")) + b"more",
        archive_of((member("a"), b"1"))[:1536],
        archive_of((member("a"), b"1"), (member("b"), b"2"))[:2048] + b"\x01" * 512,
    ],
)
def test_an_archive_that_leads_out_is_refused(archive: bytes, tmp_path: Path) -> None:
    """Whoever has the public key can seal anything: what comes out is looked at as well."""
    recipient = pyrage.x25519.Recipient.from_str(str(ME.recipient))
    (tmp_path / "file").write_bytes(pyrage.encrypt(archive, [recipient]))
    with pytest.raises(IntegrityError, match="file"):
        open_to(tmp_path / "file", [ME], tmp_path / "deep" / "out")
    assert [path.name for path in tmp_path.rglob("*")] in (["file"], ["file", "deep"], ["deep", "file"])


def test_links_pipes_and_changes_are_refused(folder: Path, tmp_path: Path) -> None:
    for target in ("a.csv", "猫"):
        link = folder / "link"
        link.symlink_to(folder / target)
        with pytest.raises(DataError, match="link"):
            seal([folder], tmp_path / "file", [ME.recipient])
        with pytest.raises(DataError, match="link"):
            seal([link], tmp_path / "file", [ME.recipient])
        link.unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(DataError, match="pipe"):
        seal([folder], tmp_path / "file", [ME.recipient])
    (folder / "pipe").unlink()
    with pytest.raises(DataError, match="no file"):
        seal([tmp_path / "missing"], tmp_path / "file", [ME.recipient])
    with pytest.raises(ConfigError, match="lies in"):
        seal([folder], folder / "file", [ME.recipient])
    with pytest.raises(ConfigError, match="at least one recipient"):
        seal([folder], tmp_path / "file", [])
    assert not (tmp_path / "file").exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in"]


def test_outputs_are_not_replaced_by_accident(folder: Path, tmp_path: Path) -> None:
    seal([folder], tmp_path / "file", [ME.recipient])
    with pytest.raises(ConfigError, match="exists"):
        seal([folder], tmp_path / "file", [ME.recipient])
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="exists"):
        open_to(tmp_path / "file", [ME], tmp_path / "out", overwrite=True)
    seal([folder / "a.csv"], tmp_path / "one", [ME.recipient])
    (tmp_path / "plain").write_bytes(b"mine")
    with pytest.raises(ConfigError, match="exists"):
        open_to(tmp_path / "one", [ME], tmp_path / "plain")
    open_to(tmp_path / "one", [ME], tmp_path / "plain", overwrite=True)
    assert (tmp_path / "plain").read_bytes() == b"1,2\n"


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    from hauberk.crypto.age.payload import Payload
    from hauberk.privacy.stored.sealing import ChunkWriter

    with open("/dev/full", "wb", buffering=0) as full, age.new_file_key() as key:
        writer = ChunkWriter(full.fileno(), Path("/dev/full"), Payload(key, bytes(16)))
        writer.write(b"x")
        with pytest.raises(EnvironmentFailure, match="space"):
            writer.finish()


def test_memory_stays_flat(tmp_path: Path) -> None:
    with open(tmp_path / "big", "wb") as file:
        for _ in range(64):
            file.write(os.urandom(1 << 20))
    tracemalloc.start()
    try:
        seal([tmp_path / "big"], tmp_path / "file", [ME.recipient])
        open_to(tmp_path / "file", [ME], tmp_path / "out")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20
    with open(tmp_path / "big", "rb") as one, open(tmp_path / "out", "rb") as other:
        assert hashlib.file_digest(one, "sha256").digest() == hashlib.file_digest(other, "sha256").digest()


def test_evidence_names_no_file_inside(folder: Path, tmp_path: Path) -> None:
    sealed = seal([folder], tmp_path / "file", [ANN.recipient])
    text = str(sealed_evidence(sealed).to_json())
    assert "a.csv" not in text
    assert age.fingerprint(ANN.recipient).hex() in text
    assert ANN.written() not in text


def test_the_vector_opens_as_it_always_did() -> None:
    """Made once: files from every release stay readable."""
    root = Path(__file__).parent / "vectors"
    identity = (root / "key").read_text().splitlines()[-1]
    data = (root / "folder.sealed").read_bytes()
    found = second.read_folder(second.read_age(data, identity))
    expected = {"labels.csv": b"image,label\n0.png,7\n", "图/0.png": bytes(range(256)), "空": None, "图": None}
    assert found == expected
    with SealedReader(root / "folder.sealed", [age.parse_identity(identity)]) as reader:
        assert second.read_folder(reader.read(0, reader.size)) == expected
    assert check(root / "folder.sealed", age.read_identities(root / "key")).files == 2


def test_threads_that_read_at_once_get_what_they_asked_for(tmp_path: Path) -> None:
    data = noise(9 * TEXT_BYTES + 5)
    (tmp_path / "in").write_bytes(data)
    seal([tmp_path / "in"], tmp_path / "file", [ME.recipient])
    places = [
        (chance.Random(one).randrange(len(data)), one % (3 * TEXT_BYTES)) for one in range(0, 90_000, 300)
    ]
    with SealedReader(tmp_path / "file", [ME]) as reader, ThreadPoolExecutor(4) as pool:

        def right(place: tuple[int, int]) -> bool:
            at, count = place[0], min(place[1], len(data) - place[0])
            return reader.read(at, count) == data[at : at + count]

        assert all(pool.map(right, places))
