"""``hauberk ledger prove`` and ``verify``: what they write, say, refuse, and never replace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from transcripts import Call

from hauberk.core.evidence import Evidence
from hauberk.crypto.notes import Note, generate
from hauberk.ledger.documents import file_entry
from hauberk.ledger.opening import create_ledger, open_log

WITNESS = generate("w.example", "cosignature-ml-dsa-44", random=lambda size: bytes([7]) * size)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger with 20 documents, three files that were logged, a kept head, and a policy with a witness."""
    evidence = Evidence(kind="training", subject={"name": "mine", "digest": "sha256:" + "ab" * 32})
    evidence.save(tmp_path, "training")
    sealing = Evidence(kind="sealing", subject={"name": "mine", "digest": "sha256:" + "ab" * 32})
    sealing.save(tmp_path, "sealing")
    (tmp_path / "free.json").write_text('{"any": "thing"}\n')
    with create_ledger(tmp_path / "log", origin="log.example/a") as log:
        log.append(b"%d" % number for number in range(10))
        (tmp_path / "kept").write_bytes(log.head())
        log.append(file_entry(tmp_path / name) for name in ("training.json", "sealing.json", "free.json"))
        log.append(b"%d" % number for number in range(13, 20))
        (tmp_path / "policy").write_text(
            f"log {log.verifier}\nwitness w {WITNESS.verifier}\nquorum w\n", encoding="utf-8"
        )
    return tmp_path


def cosign(folder: Path) -> None:
    with open_log(folder / "log") as log:
        log.add_cosignatures(log.head(), [WITNESS.sign(Note.parse(log.head()).text)])


@pytest.mark.parametrize(("name", "index"), [("training.json", 10), ("free.json", 12)])
def test_a_file_is_found_proved_and_verified(
    name: str, index: int, folder: Path, hauberk_command: Call
) -> None:
    proof, policy = folder / "it.tlog-proof", folder / "log" / "policy"
    said = hauberk_command("ledger", "prove", folder / name, "--ledger", folder / "log", "--out", proof)
    assert said.code == 0, said.err
    assert said.out == f"{proof}: entry {index} is in the head of 20 entries of log.example/a\n"
    said = hauberk_command("ledger", "verify", proof, "--entry", folder / name, "--policy", policy)
    assert (said.code, said.err) == (0, "")
    assert said.out == f"{folder / name} is entry {index} of log.example/a, by its head of 20 entries\n"
    (folder / "other.json").write_text('{"any": "other"}\n')
    said = hauberk_command("ledger", "verify", proof, "--entry", folder / "other.json", "--policy", policy)
    assert (said.code, said.out) == (1, "")
    assert f"entry {index} is not what the log of 20 entries holds there" in said.err


def test_a_salted_document_is_found_in_the_ledger_and_shown_by_its_entry(
    folder: Path, hauberk_command: Call
) -> None:
    proof, entry, policy = folder / "it.tlog-proof", folder / "entry.json", folder / "log" / "policy"
    said = hauberk_command(
        "ledger", "prove", folder / "sealing.json", "--ledger", folder / "log", "--out", proof,
        "--entry-out", entry,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "salted" in json.loads(entry.read_bytes())
    assert hauberk_command("ledger", "verify", proof, "--entry", entry, "--policy", policy).code == 0
    said = hauberk_command("ledger", "verify", proof, "--entry", folder / "sealing.json", "--policy", policy)
    assert said.code == 1


def test_published_tiles_prove_and_verify_as_the_ledger_does(folder: Path, hauberk_command: Call) -> None:
    assert hauberk_command("ledger", "export", "--ledger", folder / "log", "--tiles", folder / "pub").code == 0
    for place in ("log", "pub"):
        said = hauberk_command(
            "ledger",
            "prove",
            folder / "free.json",
            "--ledger",
            folder / place,
            "--out",
            folder / f"{place}.proof",
        )
        assert said.code == 0, said.err
    assert (folder / "log.proof").read_bytes() == (folder / "pub.proof").read_bytes()
    said = hauberk_command("ledger", "prove", folder / "sealing.json", "--ledger", folder / "pub", "--out", "x")
    assert (said.code, said.out) == (2, "")  # the salt is not published
    check = ("ledger", "verify", "--ledger", folder / "pub", "--since", folder / "kept")
    said = hauberk_command(*check)
    assert said.code == 2
    assert "say whose head of" in said.err
    policy = folder / "log" / "policy"
    assert hauberk_command(*check, "--policy", policy).code == 0
    bundle = folder / "pub" / "tile" / "entries" / "000.p" / "20"
    bundle.write_bytes(bundle.read_bytes().replace(b"any", b"ANY"))
    said = hauberk_command(*check, "--policy", policy)
    assert said.code == 1
    assert "entry 12 is not what was logged" in said.err


def test_witnesses_are_asked_for(folder: Path, hauberk_command: Call) -> None:
    proof, policy = folder / "it.tlog-proof", folder / "policy"
    made = ("ledger", "prove", "3", "--ledger", folder / "log", "--out", proof)
    assert hauberk_command(*made).code == 0
    (folder / "3").write_bytes(b"3")
    check = ("ledger", "verify", proof, "--entry", folder / "3", "--policy", policy, "--json")
    said = hauberk_command(*check)
    assert said.code == 1
    assert "lacks the witnesses that the policy asks for" in said.err
    said = hauberk_command(*made, "--policy", policy, "--force")
    assert said.code == 2
    assert "no head over entry 3 that the policy believes" in said.err
    cosign(folder)
    with open_log(folder / "log") as log:
        log.append([b"newer, and not cosigned yet"])
    assert hauberk_command(*made, "--policy", policy, "--force").code == 0
    said = hauberk_command(*check)
    assert said.code == 0
    assert {**json.loads(said.out), "root": "…"} == {
        "ok": True, "index": 3, "origin": "log.example/a", "size": 20, "root": "…", "witnesses": ["w.example"],
    }  # fmt: skip


def test_growth_is_proved_and_verified(folder: Path, hauberk_command: Call) -> None:
    proof, policy = folder / "growth.tlog-consistency", folder / "log" / "policy"
    for older in (folder / "kept", "10"):
        said = hauberk_command(
            "ledger", "prove", "--consistency", older, "--ledger", folder / "log", "--out", proof, "--force"
        )
        assert said.code == 0, said.err
        assert "the head of 10 entries is continued by the head of 20 entries of log.example/a" in said.out
        said = hauberk_command("ledger", "verify", proof, "--since", folder / "kept", "--policy", policy)
        assert said.out == f"log.example/a of 20 entries continues {folder / 'kept'} of 10\n"
    with create_ledger(folder / "fork", origin="log.example/a", key=folder / "fork.key") as log:
        log.append(b"%d" % number for number in range(30))
        (folder / "other").write_bytes(log.head())
    said = hauberk_command("ledger", "verify", proof, "--since", folder / "other", "--policy", policy)
    assert said.code == 1


def test_a_whole_log_is_read(folder: Path, hauberk_command: Call) -> None:
    import sqlite3
    from contextlib import closing

    check = ("ledger", "verify", "--ledger", folder / "log", "--since", folder / "kept")
    said = hauberk_command(*check)
    assert said.code == 0, said.err
    assert "log: holds the 20 entries that its head names, unchanged and in order, and continues" in said.out
    assert "the key that stands in the ledger itself" in said.err
    said = hauberk_command(*check, "--policy", folder / "log" / "policy", "--json")
    assert (said.err, json.loads(said.out)["since"]) == ("", 10)
    assert hauberk_command(*check, "--policy", folder / "policy").code == 1
    with closing(sqlite3.connect(folder / "log" / "ledger.sqlite")) as tables, tables:
        tables.execute("update ledger_entries set data = ? where number = 4", (b"changed",))
    said = hauberk_command(*check)
    assert (said.code, said.out) == (1, "")
    assert "entry 4 is not what was logged" in said.err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["prove", "--ledger", "log", "--out", "x"], "say what to prove"),
        (["prove", "1", "--consistency", "1", "--ledger", "log", "--out", "x"], "say what to prove"),
        (["prove", "99", "--ledger", "log", "--out", "x"], "no head over entry 99; the newest has 20 entries"),
        (["prove", "9" * 5000, "--ledger", "log", "--out", "x"], "999"),
        (["prove", "--consistency", "21", "--ledger", "log", "--out", "x"], "no head of 21 entries or more"),
        (["prove", "missing.json", "--ledger", "log", "--out", "x"], "missing.json"),
        (["prove", "policy", "--ledger", "log", "--out", "x"], "policy"),
        (["prove", "1", "--ledger", "nowhere", "--out", "x"], "nowhere"),
        (["prove", "1", "--ledger", "log", "--out", "kept"], "exists already"),
        (["verify"], "say what to verify"),
        (["verify", "kept", "--ledger", "log"], "say what to verify"),
        (["verify", "kept"], "say whom to believe"),
        (["verify", "--ledger", "log", "--entry", "kept"], "--entry goes with a proof"),
        (["verify", "--ledger", "http://127.0.0.1:9/x"], "no answer from http://127.0.0.1:9:"),
        (["verify", "kept", "--policy", "kept"], "kept, line 1"),
        (["verify", "missing", "--policy", "policy"], "no proof at missing"),
    ],
)  # fmt: skip
def test_wrong_use_is_said_in_one_line(
    arguments: list[str], why: str, folder: Path, hauberk_command: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    said = hauberk_command("ledger", *arguments)
    assert (said.code in (2, 3), said.out) == (True, "")
    assert why in said.err
    assert "Traceback" not in said.err
    assert not (folder / "x").exists()


def test_what_is_no_proof_is_not_believed(folder: Path, hauberk_command: Call) -> None:
    said = hauberk_command("ledger", "verify", folder / "kept", "--policy", folder / "policy", "--entry", "x")
    assert said.code == 1
    assert f"{folder / 'kept'}: not an inclusion proof" in said.err
    said = hauberk_command("ledger", "verify", "--ledger", folder / "log", "--since", folder / "training.json")
    assert said.code == 1
    assert f"{folder / 'training.json'}: not to be believed" in said.err


@pytest.mark.parametrize("verb", ["prove", "verify"])
def test_a_proof_needs_neither_torch_nor_numpy(verb: str, folder: Path, hauberk_command: Call) -> None:
    proof = folder / "it.tlog-proof"
    made = ["ledger", "prove", str(folder / "free.json"), "--ledger", str(folder / "log"), "--out", str(proof)]
    checked = ["ledger", "verify", str(proof), "--entry", str(folder / "free.json")]
    checked += ["--policy", str(folder / "log" / "policy")]
    if verb == "verify":
        assert hauberk_command(*made).code == 0
    code = (
        f"import sys\nfrom hauberk.cli.app import run\ncode = run({made if verb == 'prove' else checked!r})\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
