"""A monitor finds forks, and entries that were changed; it also sees what it was told to look for."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from branches import Branch, numbered, tree
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.cli.app import run
from hauberk.core.errors import DataError, IntegrityError
from hauberk.crypto.notes import Note, generate, read_signers, verify
from hauberk.ledger.monitor import Edge, look
from hauberk.ledger.opening import create_ledger, open_ledger, open_log
from hauberk.ledger.policy import Policy
from hauberk.ledger.published import export


@pytest.fixture
def log() -> Branch:
    return Branch(numbered(9))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "seen"


def _policy(log: Branch) -> Policy:
    return Policy.of_log(log.signer.verifier)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4).map(sorted))
@settings(max_examples=40, deadline=None)
def test_the_edge_is_the_tree(sizes: list[int]) -> None:
    """Against RFC 6962's definition, stopped and gone on with at any sizes."""
    import hashlib

    entries = numbered(40)
    edge = Edge()
    for size in sizes:
        for entry in entries[edge.size : size]:
            edge.add(hashlib.sha256(b"\x00" + entry).digest())
        assert edge.root == tree(entries[:size])
        edge = Edge(edge.size, edge.hashes)


def test_each_entry_is_read_once(log: Branch, state: Path) -> None:
    log.list, later = log.list[:4], log.list
    first = look(log, state, _policy(log))
    assert (first.before, first.head.size) == (0, 4)
    log.list = later
    read: list[tuple[int, int]] = []
    plain = log.entries
    log.entries = lambda start, stop: read.append((start, stop)) or plain(start, stop)  # type: ignore[method-assign,func-returns-value]
    second = look(log, state, _policy(log))
    assert (second.before, second.head.size, read) == (4, 9, [(4, 9)])
    assert look(log, state, _policy(log)).before == 9


def test_a_fork_leaves_both_heads(log: Branch, state: Path) -> None:
    """The other branch is longer, shorter or as long; each head bears the log's own signature."""
    look(log, state, _policy(log))
    kept = state.read_bytes()
    for branch in (
        log.fork(4, *numbered(9, "forged")),
        log.fork(4, *numbered(5, "forged")),
        log.fork(4, *numbered(2, "forged")),
        log.fork(4),
    ):
        with pytest.raises(IntegrityError) as caught:
            look(branch, state, _policy(log))
        folder = Path(str(caught.value.facts["evidence"]))
        assert (folder / "first.checkpoint").read_bytes() == log.head()
        assert (folder / "second.checkpoint").read_bytes() == branch.head()
        for one in folder.iterdir():
            verify(Note.parse(one.read_bytes()), [log.signer.verifier])
    assert state.read_bytes() == kept
    assert look(log, state, _policy(log)).head.size == 9


def test_an_entry_that_is_not_in_the_tree(log: Branch, state: Path) -> None:
    """The head and the tree are right, and the log hands out something else."""
    log.list, whole = log.list[:4], log.list
    look(log, state, _policy(log))
    log.list = whole
    shown = list(whole)
    shown[6] = b"something else"
    log.entries = lambda start, stop: iter(shown[start:stop])  # type: ignore[method-assign]
    with pytest.raises(IntegrityError, match="entry 6 is not"):
        look(log, state, _policy(log))
    shown[6:] = []
    with pytest.raises(IntegrityError):
        look(log, state, _policy(log))


def test_heads_that_are_not_believed(log: Branch, state: Path) -> None:
    with pytest.raises(IntegrityError):
        look(log, state, Policy.of_log(generate(log.signer.name).verifier))
    witness = generate("witness.example", "cosignature-ed25519")
    asked = Policy.parse(f"log {log.signer.verifier}\nwitness w {witness.verifier}\nquorum w\n")
    with pytest.raises(IntegrityError, match="lacks the witnesses"):
        look(log, state, asked)
    note = Note.parse(log.head())
    log.head = lambda: bytes(note.add(witness.sign(note.text)))  # type: ignore[method-assign]
    assert look(log, state, asked).head.size == 9


def test_another_log_in_the_same_place(log: Branch, state: Path) -> None:
    look(log, state, _policy(log))
    other = Branch(log.list, signer=generate("other.example"))
    with pytest.raises(IntegrityError, match="is now other"):
        look(other, state, _policy(other))


def test_the_state_is_read_strictly(log: Branch, state: Path) -> None:
    look(log, state, _policy(log))
    document = json.loads(state.read_text())
    for wrong in ({"schema": "x"}, {"edge": ["00"]}, {"edge": None}, {"edge": []}, {"checkpoint": "x"}):
        state.write_text(json.dumps({**document, **wrong}))
        with pytest.raises((DataError, IntegrityError)):
            look(log, state, _policy(log))
    changed = "00" + document["edge"][0][2:]
    state.write_text(json.dumps({**document, "edge": [changed, *document["edge"][1:]]}))
    with pytest.raises(IntegrityError, match="was changed"):
        look(log, state, _policy(log))


def test_what_is_watched_for(log: Branch, state: Path) -> None:
    digest = "sha256:" + "ab" * 32
    log.list = [
        json.dumps({"name": "hardened"}).encode(),
        json.dumps({"name": "hardened-2", "note": "not hardened"}).encode(),
        json.dumps({"deep": [{"digest": digest}], "name": "other"}).encode(),
        b"no JSON, but it speaks of " + digest.encode(),
    ]
    found = look(log, state, _policy(log), watch=["hardened", digest, "nowhere"])
    told = [(one.entry, one.terms) for one in found.sightings]
    assert told == [(0, ("hardened",)), (2, (digest,)), (3, (digest,))]
    again = look(log, state, _policy(log), watch=["hardened"])
    assert again.sightings == ()  # each entry is told of once


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def made(*arguments: object) -> tuple[int, str, str]:
        code = run(["ledger", "monitor", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return made


def test_by_transcript(call: Callable[..., tuple[int, str, str]], tmp_path: Path, state: Path) -> None:
    """A folder, and the same log published; a forked copy of it with the same key is found out."""
    ledger, tiles = tmp_path / "log", tmp_path / "tiles"
    with create_ledger(ledger, origin="log.example/models") as log:
        log.append([b'{"name": "hardened"}', *numbered(299)])
    code, out, err = call("--ledger", ledger, "--state", state, "--watch", "hardened")
    assert code == 0, err
    assert out.splitlines() == [
        "log.example/models: 300 entries, 300 of them new, all as the head says",
        "  entry 0 names hardened",
    ]
    with open_log(ledger) as log:
        log.append(numbered(300, "later"))
    with open_ledger(ledger) as log:  # type: ignore[union-attr]
        export(log, tiles)
    code, out, err = call("--ledger", tiles, "--state", state, "--policy", ledger / "policy", "--json")
    assert code == 0, err
    assert (json.loads(out)["size"], json.loads(out)["new"]) == (600, 300)

    forked = Branch([b"another history", *numbered(610)], signer=read_signers(ledger / "key")[0])
    (tiles / "checkpoint").write_bytes(forked.head())
    code, _, err = call("--ledger", tiles, "--state", state, "--policy", ledger / "policy")
    assert code == 1
    assert err.startswith("error: ")


def test_it_looks_again_and_again(tmp_path: Path, state: Path) -> None:
    """As a user starts it: it sees what is appended, and ends with exit code 1 at a fork."""
    ledger = tmp_path / "log"
    with create_ledger(ledger, origin="log.example/models") as log:
        log.append(numbered(3))
    arguments = ["--ledger", ledger, "--state", state, "--policy", ledger / "policy", "--every", "0.05"]
    command = [sys.executable, "-u", "-m", "hauberk", "ledger", "monitor", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as monitor:
        assert monitor.stdout is not None
        assert monitor.stderr is not None
        assert "3 entries, 3 of them new" in monitor.stdout.readline()
        with open_log(ledger) as log:
            log.append([b"more"])
        while "4 entries, 1 of them new" not in monitor.stdout.readline():
            assert monitor.poll() is None
        signer = read_signers(ledger / "key")[0]
        with closing(sqlite3.connect(ledger / "ledger.sqlite")) as tables, tables:
            forked = Branch(numbered(4, "forged"), signer=signer).head()
            tables.execute("UPDATE ledger_log SET head = ?", [forked])
        assert monitor.wait(20) == 1
        assert "no longer is the log that was seen before" in monitor.stderr.read()


def test_wrong_use(call: Callable[..., tuple[int, str, str]], tmp_path: Path, state: Path) -> None:
    assert call("--ledger", tmp_path / "none", "--state", state, "--policy", tmp_path / "none")[0] == 2
    assert call("--ledger", tmp_path / "none", "--state", state)[0] == 2
    assert call("--ledger", tmp_path / "none", "--state", state, "--every", "0")[0] == 2
    assert call("--state", state)[0] == 2
