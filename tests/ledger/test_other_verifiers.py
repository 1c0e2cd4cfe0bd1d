"""Other people's programs read a log that ours exported: Go's sumdb packages, and aics-tlog."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hauberk.cli.app import run
from hauberk.crypto.notes import Note, generate, parse_verifier, verify
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.opening import create_ledger, open_ledger
from hauberk.ledger.proving import prove_consistency, prove_inclusion

SIZES = (1, 5, 256, 300, 1000)
WITNESS = generate("w.example/1", "cosignature-ed25519", random=lambda size: bytes([7]) * size)
GO_SOURCES = Path("/usr/share/gocode")


class Exported:
    """A log that grew in steps, cosigned and written as tiles by the command."""

    def __init__(self, folder: Path) -> None:
        self.log, self.tiles = folder / "log", folder / "tiles"
        self.heads: list[bytes] = []
        self.entries = [b'{"number":%d}' % number for number in range(SIZES[-1])]
        with create_ledger(self.log, origin="log.example/models") as log:
            self.vkey = str(log.verifier)
            for old, new in zip((0, *SIZES), SIZES, strict=False):
                log.append(self.entries[old:new])
                self.heads.append(log.head())
            log.add_cosignatures(log.head(), [WITNESS.sign(Note.parse(log.head()).text)])
        assert run(["ledger", "export", "--ledger", str(self.log), "--tiles", str(self.tiles)]) == 0


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def go_reader(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The reader, compiled without network and module cache; None where Go or its packages are missing."""
    go = shutil.which("go")
    if go is None or not (GO_SOURCES / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        return None
    folder = tmp_path_factory.mktemp("go")
    built = subprocess.run(
        [go, "build", "-o", str(folder / "read_log"), str(Path(__file__).parent / "go" / "read_log.go")],
        capture_output=True, text=True, timeout=300, cwd=folder,
        env={**os.environ, "GO111MODULE": "off", "GOPATH": str(GO_SOURCES), "GOFLAGS": "", "HOME": str(folder),
             "GOCACHE": str(folder / "cache"), "CGO_ENABLED": "0"},
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return folder / "read_log"


def test_go_reads_checkpoint_tiles_and_entries(
    exported: Exported, go_reader: Path | None, absent: Callable[[str, str], None]
) -> None:
    if go_reader is None:
        absent("Go with golang.org/x/mod", "apt-get install golang-go golang-golang-x-mod-dev")
    numbers = (0, 1, 255, 256, 511, 777, 999)
    older = [peek(one) for one in exported.heads[:-1]]
    growth = [f"{one.size}:{base64.b64encode(one.root).decode()}" for one in older]
    said = read(go_reader, exported.tiles, exported.vkey, *growth, *map(str, numbers))
    assert said.returncode == 0, said.stderr
    *lines, last = said.stdout.splitlines()
    assert [base64.b64decode(one.split()[1]) for one in lines] == [exported.entries[one] for one in numbers]
    assert last == "log.example/models 1000 1 1"  # the witness' line is of a kind that Go does not know


def test_go_finds_what_was_changed(
    exported: Exported, go_reader: Path | None, tmp_path: Path, absent: Callable[[str, str], None]
) -> None:
    if go_reader is None:
        absent("Go with golang.org/x/mod", "apt-get install golang-go golang-golang-x-mod-dev")
    other = str(generate("log.example/models").verifier)
    assert "no verifiable signatures" in read(go_reader, exported.tiles, other, "1").stderr
    changed = tmp_path / "tiles"
    shutil.copytree(exported.tiles, changed)
    bundle = changed / "tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b'{"number":7}', b'{"number":8}'))
    assert read(go_reader, changed, exported.vkey, "6").returncode == 0
    assert "invalid transparency proof" in read(go_reader, changed, exported.vkey, "7").stderr
    hashes = changed / "tile/0/000"
    hashes.write_bytes(hashes.read_bytes()[::-1])
    assert "invalid transparency proof" in read(go_reader, changed, exported.vkey, "6").stderr


def test_go_signs_with_a_key_that_ours_wrote(
    exported: Exported, go_reader: Path | None, absent: Callable[[str, str], None]
) -> None:
    if go_reader is None:
        absent("Go with golang.org/x/mod", "apt-get install golang-go golang-golang-x-mod-dev")
    lines = (exported.log / "key").read_text().splitlines()
    (line,) = [one for one in lines if one.startswith("PRIVATE+KEY+")]
    said = read(go_reader, "sign", typed=line)
    assert said.returncode == 0, said.stderr
    note = Note.parse(said.stdout.encode())
    assert note.text == "signed by Go\n"
    assert str(verify(note, [parse_verifier(exported.vkey)])[0].verifier) == exported.vkey


def read(reader: Path | None, *arguments: object, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(one) for one in (reader, *arguments)], input=typed, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def aics(absent: Callable[[str, str], None]) -> Any:
    try:
        import aics_tlog
    except ImportError:
        absent("aics-tlog", "pip install --no-deps --ignore-requires-python aics-tlog")
    return aics_tlog


def test_aics_tlog_audits_the_tiles(exported: Exported, aics: Any) -> None:
    head = peek((exported.tiles / "checkpoint").read_bytes())
    reader = aics.FileSystemTileReader(exported.tiles)
    aics.audit_tiles(reader, head.size, head.root)
    assert aics.VerifiedTileReader(reader, head.size, head.root).entry(777) == exported.entries[777]
    with pytest.raises(aics.TileVerificationError):
        aics.audit_tiles(reader, head.size, bytes(32))


def test_aics_tlog_believes_head_and_witness(exported: Exported, aics: Any) -> None:
    note = aics.parse_note((exported.tiles / "checkpoint").read_bytes())
    log, witness = aics.parse_vkey(exported.vkey), aics.parse_vkey(str(WITNESS.verifier))
    found = aics.verify_checkpoint(note, log, [witness], quorum=1)
    assert found.ok, found
    stranger = aics.parse_vkey(str(generate("w.example/1", "cosignature-ed25519").verifier))
    assert not aics.verify_checkpoint(note, log, [stranger], quorum=1).ok


def test_aics_tlog_and_ours_make_and_check_the_same_proofs(exported: Exported, aics: Any) -> None:
    tiles = aics.FileSystemTileReader(exported.tiles)
    newest = peek(exported.heads[-1])
    with closing(open_ledger(exported.log)) as log:
        for index in (0, 1, 255, 256, 998, 999):
            ours = list(prove_inclusion(log, index).hashes)
            assert ours == aics.inclusion_proof_from_tiles(tiles, index, newest.size)
            leaf = exported.entries[index]
            assert aics.verify_leaf_inclusion(leaf, index, newest.size, ours, newest.root)
            assert not aics.verify_leaf_inclusion(leaf + b" ", index, newest.size, ours, newest.root)
        for older in map(peek, exported.heads):
            ours = list(prove_consistency(log, older).hashes)
            assert ours == aics.consistency_proof_from_tiles(tiles, older.size, newest.size)
            assert aics.verify_consistency(older.size, newest.size, older.root, newest.root, ours)
