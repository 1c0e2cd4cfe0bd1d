"""A witness cosigns a head that continues the last and nothing else, also when two ask or it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from branches import Branch, numbered, tree

from hauberk.core.errors import ConfigError, IntegrityError, UnknownName
from hauberk.crypto.notes import Checkpoint, Note, Signature, generate, parse_signatures, read_verifiers, verify
from hauberk.ledger.witness import Witness, open_witness
from hauberk.ledger.witness.keeping import logs_of
from hauberk.ledger.witness.protocol import SIZE_KIND, Request

NAME = "witness.example/w1"


@pytest.fixture
def log() -> Branch:
    return Branch(numbered(20))


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def witness(log: Branch, tmp_path: Path, told: list[str]) -> Iterator[Witness]:
    with open_witness(tmp_path / "w", [log.signer.verifier], name=NAME, tell=told.append) as made:
        yield made


def test_cosignatures_of_both_kinds_hold(log: Branch, witness: Witness) -> None:
    reply = witness.add_checkpoint(log.request(0, 7))
    assert reply.status == 200
    note = Note.parse(log.checkpoint(7)).add(*parse_signatures(reply.body))
    found = verify(note, witness.verifiers)
    assert [one.verifier.KIND for one in found] == [4, 6]
    assert all(abs((one.time or 0) - time.time()) < 60 for one in found)
    assert witness.last(log.signer.name).size == 7


def test_a_growing_log_is_cosigned_entry_by_entry_over_restarts(log: Branch, tmp_path: Path) -> None:
    for old in range(20):
        with open_witness(tmp_path / "w", [log.signer.verifier], name=NAME, kinds=["ed25519"]) as witness:
            assert witness.add_checkpoint(log.request(old, old)).status == 200
            assert witness.add_checkpoint(log.request(old, old + 1)).status == 200
            assert witness.last(log.signer.name).root == tree(numbered(old + 1))


@pytest.mark.parametrize(("old", "size"), [(0, 1), (1, 2), (3, 4), (4, 20), (7, 19), (16, 20), (20, 20)])
def test_any_step(log: Branch, tmp_path: Path, old: int, size: int) -> None:
    with open_witness(tmp_path / "w", [log.signer.verifier], name=NAME, kinds=["ed25519"]) as witness:
        if old:
            assert witness.add_checkpoint(log.request(0, old)).status == 200
        assert witness.add_checkpoint(log.request(old, size)).status == 200


def test_a_wrong_old_size_is_told_the_right_one(log: Branch, witness: Witness) -> None:
    assert witness.add_checkpoint(log.request(0, 7)).status == 200
    for old in (0, 3):
        reply = witness.add_checkpoint(log.request(old, 12))
        assert (reply.status, reply.body, reply.kind) == (409, b"7\n", SIZE_KIND)
    assert witness.last(log.signer.name).size == 7


def test_a_smaller_head_is_refused(log: Branch, witness: Witness) -> None:
    assert witness.add_checkpoint(log.request(0, 7)).status == 200
    assert witness.add_checkpoint(log.request(0, 6)).status == 409
    assert witness.add_checkpoint(log.request(6, 6)).status == 409
    smaller = Request(7, (), log.checkpoint(6))
    assert witness.add_checkpoint(bytes(smaller)).status == 400


def test_a_fork_is_refused_and_two_heads_of_one_size_are_kept(
    log: Branch, witness: Witness, told: list[str], tmp_path: Path
) -> None:
    other = log.fork(5, *numbered(15, "forged"))
    assert witness.add_checkpoint(log.request(0, 10)).status == 200
    assert witness.add_checkpoint(other.request(10, 15)).status == 422
    assert witness.add_checkpoint(other.request(10, 10)).status == 409
    assert len(told) == 2
    kept = sorted(path.read_bytes() for path in (tmp_path / "w").glob("fork-*/*"))
    assert kept == sorted([log.checkpoint(10), other.checkpoint(10)])
    for one in kept:  # each convicts by itself: the log's key signed it
        verify(Note.parse(one), [log.signer.verifier])
    assert witness.last(log.signer.name).root == tree(log.list[:10])
    assert witness.add_checkpoint(log.request(10, 20)).status == 200


def test_every_bit_of_a_proof_counts(log: Branch, witness: Witness) -> None:
    assert witness.add_checkpoint(log.request(0, 11)).status == 200
    good = Request.parse(log.request(11, 20))
    for place in range(len(good.proof)):
        wrong = list(good.proof)
        wrong[place] = bytes([wrong[place][0] ^ 1]) + wrong[place][1:]
        assert witness.add_checkpoint(bytes(Request(11, tuple(wrong), good.checkpoint))).status == 422
    for wrong_length in (good.proof[:-1], (*good.proof, bytes(32)), ()):
        assert witness.add_checkpoint(bytes(Request(11, wrong_length, good.checkpoint))).status == 422
    assert witness.last(log.signer.name).size == 11


def test_a_first_head_has_no_proof_and_an_empty_log_has_the_empty_root(log: Branch, witness: Witness) -> None:
    assert witness.add_checkpoint(bytes(Request(0, (bytes(32),), log.checkpoint(3)))).status == 422
    text = Checkpoint(log.signer.name, 0, bytes(32)).text
    lie = bytes(Note(text, (log.signer.sign(text),)))
    assert witness.add_checkpoint(bytes(Request(0, (), lie))).status == 409
    assert witness.add_checkpoint(log.request(0, 0)).status == 200


def test_unknown_logs_and_signatures(log: Branch, witness: Witness) -> None:
    stranger = Branch(numbered(3), signer=generate("other.example"))
    assert witness.add_checkpoint(stranger.request(0)).status == 404
    thief = Branch(log.list, signer=generate(log.signer.name))  # the log's name, another key
    assert witness.add_checkpoint(thief.request(0)).status == 403
    note = Note.parse(log.checkpoint(3))
    broken = Signature(note.signatures[0].name, note.signatures[0].key_id, bytes(64))
    assert witness.add_checkpoint(bytes(Request(0, (), bytes(Note(note.text, (broken,)))))).status == 403
    beside = note.add(*Note.parse(thief.checkpoint(3)).signatures)
    assert witness.add_checkpoint(bytes(Request(0, (), bytes(beside)))).status == 200


def test_the_specifications_example_is_read_and_written_back() -> None:
    """c2sp.org/tlog-witness, "Example request body"."""
    hashes = [
        "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=",
        "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=",
        "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=",
        "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=",
    ]
    name = "example.com/behind-the-sofa"
    signatures = [
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=",
        "opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=",
    ]
    checkpoint = [name, "20852163", "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", ""]
    lines = ["old 20852014", *hashes, "", *checkpoint, *(f"— {name} {one}" for one in signatures), ""]
    body = "\n".join(lines).encode()
    request = Request.parse(body)
    assert (request.old, len(request.proof), len(Note.parse(request.checkpoint).signatures)) == (20852014, 4, 2)
    assert bytes(request) == body


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: b"",
        lambda body: body.replace(b"old ", b"new ", 1),
        lambda body: body.replace(b"old 7", b"old 07", 1),
        lambda body: body.replace(b"old 7", b"old -7", 1),
        lambda body: body.replace(b"old 7", b"old 7 ", 1),
        lambda body: body.replace(b"old 7", b"old " + b"9" * 30, 1),
        lambda body: body.replace(b"\n\n", b"\n", 1),
        lambda body: body.replace(b"=\n", b"\n", 1),
        lambda body: body.replace(b"\n", b"\nAAAA\n", 1),
        lambda body: body.replace(b"\n", b"\n" + b"\xff\n", 1),
        lambda body: body.replace(b"\n", b"\r\n"),
        lambda body: body.replace(b"\n", b"\n" + 64 * (b"A" * 43 + b"=\n"), 1),
        lambda body: body[:-1],
        lambda body: body.split(b"\xe2\x80\x94")[0],
    ],
)
def test_what_is_not_a_request(log: Branch, witness: Witness, spoil: object) -> None:
    assert witness.add_checkpoint(log.request(0, 7)).status == 200
    reply = witness.add_checkpoint(spoil(log.request(7, 12)))  # type: ignore[operator]
    assert reply.status == 400
    assert witness.last(log.signer.name).size == 7


def test_the_log_may_sign_with_a_post_quantum_key(tmp_path: Path) -> None:
    log = Branch(numbered(5), signer=generate("pq.example", "cosignature-ml-dsa-44"))
    with open_witness(tmp_path / "w", [log.signer.verifier], name=NAME) as witness:
        assert witness.add_checkpoint(log.request(0)).status == 200


def test_the_times_of_cosignatures_never_run_back(log: Branch, tmp_path: Path) -> None:
    moments = iter([1_800_000_000, 1_700_000_000])

    def clock() -> datetime:
        return datetime.fromtimestamp(next(moments), UTC)

    with open_witness(tmp_path / "w", [log.signer.verifier], name=NAME, clock=clock) as witness:
        for old, size in ((0, 3), (3, 5)):
            note = Note.parse(log.checkpoint(size))
            note = note.add(*parse_signatures(witness.add_checkpoint(log.request(old, size)).body))
            assert {one.time for one in verify(note, witness.verifiers)} == {1_800_000_000}


def test_of_two_branches_at_once_one_is_cosigned(log: Branch, witness: Witness) -> None:
    """Twelve submitters, half of them with a forked history, all of size 20."""
    other = log.fork(5, *numbered(15, "forged"))
    bodies = [branch.request(0, 20) for branch in (log, other) for _ in range(6)]
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(witness.add_checkpoint, bodies))
    won = {bodies[n] for n, reply in enumerate(replies) if reply.status == 200}
    assert len(won) == 1
    assert sorted(reply.status for reply in replies) == [200] + 11 * [409]


def test_two_submitters_of_one_log_never_roll_it_back(log: Branch, witness: Witness) -> None:
    """Each goes on from what the witness says; whatever is cosigned only grows."""
    cosigned: list[int] = []

    def submit(sizes: range) -> None:
        old = 0
        for size in sizes:
            reply = witness.add_checkpoint(log.request(min(old, size), size))
            if reply.status == 409 and int(reply.body) <= size:
                reply = witness.add_checkpoint(log.request(int(reply.body), size))
            if reply.status == 200:
                cosigned.append(size)
                old = size

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(submit, (range(1, 21), range(1, 21, 2))))
    assert witness.last(log.signer.name).size == 20
    assert max(cosigned) == 20


_WORKER = """
import sys
from pathlib import Path
from hauberk.ledger.witness import open_witness
from hauberk.ledger.witness.keeping import logs_of
requests = [Path(one).read_bytes() for one in sys.argv[3:]]
with open_witness(sys.argv[1], logs_of([sys.argv[2]])) as witness:
    print("ready", flush=True)
    for number, body in enumerate(requests * 50):
        reply = witness.add_checkpoint(body)
        if reply.status == 200:
            sys.stdout.buffer.write(b"%d\\n" % (number % len(requests)))
            sys.stdout.buffer.flush()
"""


@pytest.mark.parametrize("rounds", [5, pytest.param(25, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_never_cosigns_two_branches(tmp_path: Path, rounds: int) -> None:
    """Each process offers every head of two branches, and is killed soon after a few were cosigned."""
    log = Branch(numbered(6 + 4 * rounds))
    other = log.fork(5, *numbered(len(log.list) - 5, "forged"))
    offers = [(branch, size) for size in range(6, len(log.list)) for branch in (log, other)]
    files = []
    for number, (branch, size) in enumerate(offers):
        path = tmp_path / f"{number:03d}"
        path.write_bytes(branch.request(size - 1 if size > 6 else 0, size))
        files.append(str(path))
    with open_witness(tmp_path / "w", [log.signer.verifier], name=NAME):
        pass
    cosigned = []
    for turn in range(rounds):
        worker = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(tmp_path / "w"), str(log.signer.verifier), *files],
            stdout=subprocess.PIPE,
        )
        assert worker.stdout is not None
        lines = [worker.stdout.readline() for _ in range(2 + turn % 3)]
        time.sleep(0.001 * (turn % 7))
        os.kill(worker.pid, signal.SIGKILL)
        lines += worker.stdout.readlines()
        worker.stdout.close()
        worker.wait()
        assert lines.pop(0) == b"ready\n"
        cosigned += [offers[int(one)] for one in lines if one.endswith(b"\n")]
    assert len(cosigned) >= rounds
    assert len({branch for branch, _ in cosigned}) == 1
    assert [size for _, size in cosigned] == sorted({size for _, size in cosigned})
    with open_witness(tmp_path / "w", [log.signer.verifier]) as witness:
        last = witness.last(log.signer.name)
    assert last.size >= cosigned[-1][1]
    assert last.root == tree(cosigned[0][0].list[: last.size])


def test_its_folder(log: Branch, tmp_path: Path) -> None:
    logs = [log.signer.verifier]
    with pytest.raises(ConfigError, match="needs a name"), open_witness(tmp_path / "w", logs):
        pass
    with pytest.raises(UnknownName), open_witness(tmp_path / "w", logs, name=NAME, kinds=["rsa"]):
        pass
    with open_witness(tmp_path / "w", logs, name=NAME) as witness:
        assert tuple(read_verifiers(tmp_path / "w" / "keys.pub")) == witness.verifiers
    assert (tmp_path / "w" / "keys").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "w" / "heads.sqlite").stat().st_mode & 0o777 == 0o600
    with (
        pytest.raises(ConfigError, match="is called"),
        open_witness(tmp_path / "w", logs, name="other.example"),
    ):
        pass
    (tmp_path / "w" / "keys").unlink()
    with pytest.raises(ConfigError, match="is gone"), open_witness(tmp_path / "w", logs, name=NAME):
        pass


def test_damaged_heads_stop_it(log: Branch, tmp_path: Path) -> None:
    with open_witness(tmp_path / "w", [log.signer.verifier], name=NAME):
        pass
    (tmp_path / "w" / "heads.sqlite").write_bytes(b"not a database, but long enough to be taken for one" * 40)
    with pytest.raises(IntegrityError), open_witness(tmp_path / "w", [log.signer.verifier]):
        pass


def test_logs_are_named_by_key_or_by_file(log: Branch, tmp_path: Path) -> None:
    path = tmp_path / "log.pub"
    path.write_text(f"{log.signer.verifier}\n")
    assert logs_of([str(path), str(log.signer.verifier)]) == 2 * [log.signer.verifier]
