"""hauberk ledger witness by transcript and as a process: kept keys, a round with a quorum, kill -9."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from branches import Branch, numbered
from servers import serving

from hauberk.cli.app import run
from hauberk.core.errors import IntegrityError
from hauberk.crypto.notes import Note, parse_signatures, read_signers, read_verifiers, verify
from hauberk.ledger import web
from hauberk.ledger.opening import create_ledger, open_log
from hauberk.ledger.policy import Policy
from hauberk.ledger.witness import open_witness

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def made(*arguments: object) -> tuple[int, str, str]:
        code = run(["ledger", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return made


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    with create_ledger(tmp_path / "log", origin="log.example/models") as log:
        log.append(numbered(9))
    return tmp_path / "log"


def test_keys_are_made_once(call: Call, tmp_path: Path) -> None:
    state = tmp_path / "w"
    code, _, err = call("witness", "--state", state)
    assert code == 2
    assert "--name" in err
    code, first, err = call("witness", "--state", state, "--name", "witness.example/w1")
    assert code == 0, err
    assert [str(one) for one in read_verifiers(state / "keys.pub")] == first.splitlines()
    assert len(first.splitlines()) == 2
    for secret in (state / "keys").read_text().splitlines():
        assert secret.startswith("#") or secret not in first + err
    assert call("witness", "--state", state)[1] == first
    told = json.loads(call("witness", "--state", state, "--json")[1])
    assert told == {"name": "witness.example/w1", "public_keys": first.splitlines(), "logs": []}
    code, out, _ = call("witness", "--state", tmp_path / "e", "--name", "e.example", "--key", "ed25519")
    assert (code, len(out.splitlines())) == (0, 1)


def test_a_head_cosigned_without_a_server(call: Call, ledger: Path, tmp_path: Path) -> None:
    state = tmp_path / "w"
    once = ("witness", "--state", state, "--log", ledger / "key.pub", "--ledger", ledger)
    code, out, err = call(*once, "--name", "witness.example/w1")
    assert code == 0, err
    with open_log(ledger) as log:
        assert len(verify(Note.parse(log.head()), read_verifiers(state / "keys.pub"))) == 2
        assert set(parse_signatures(out.encode())) <= set(Note.parse(log.head()).signatures)
        log.append([b"more"])
    assert call(*once)[0] == 0
    with open_log(ledger) as log:
        assert len(verify(Note.parse(log.head()), read_verifiers(state / "keys.pub"))) == 2

    tiles = tmp_path / "tiles"
    assert call("export", "--ledger", ledger, "--tiles", tiles)[0] == 0
    forked = Branch(numbered(10, "forged"), signer=read_signers(ledger / "key")[0])
    (tiles / "checkpoint").write_bytes(forked.head())
    code, out, err = call("witness", "--state", state, "--log", ledger / "key.pub", "--ledger", tiles)
    assert (code, out) == (1, "")
    assert "is not cosigned" in err
    assert list(state.glob("fork-*"))


@contextmanager
def _process(state: Path, log: Path | str, *more: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The command as a user starts it, and its address."""
    arguments = ["ledger", "witness", "--state", str(state), "--log", str(log), "--listen", "0", *more]
    worker = subprocess.Popen(
        [sys.executable, "-m", "hauberk", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert worker.stderr is not None
    try:
        said = worker.stderr.readline().decode()
        found = re.match(r"listening at (http://127\.0\.0\.1:\d+) for ", said)
        assert found, said + worker.stderr.read().decode()
        yield worker, found[1]
    finally:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
        worker.wait(20)
        worker.stderr.close()


def test_killed_between_requests_it_never_cosigns_the_other_branch(tmp_path: Path) -> None:
    log = Branch(numbered(12))
    other = log.fork(5, *numbered(7, "forged"))
    state = tmp_path / "w"
    with open_witness(state, [], name="witness.example/w1"):
        pass
    for size in (7, 9, 12):
        with _process(state, str(log.signer.verifier)) as (worker, url):
            asked = f"{url}/add-checkpoint"
            old = int(web.post(asked, log.request(0, size), kind="text/plain").body) if size > 7 else 0
            assert web.post(asked, log.request(old, size), kind="text/plain").status == 200
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        with _process(state, str(log.signer.verifier)) as (_, url):
            asked = f"{url}/add-checkpoint"
            assert web.post(asked, other.request(size, 12), kind="text/plain").status in (409, 422)
            assert web.post(asked, other.request(size, size), kind="text/plain").status == 409
            assert web.post(asked, other.request(0, 6), kind="text/plain").status == 409
            assert web.post(asked, log.request(size, size), kind="text/plain").status == 200


def test_sigterm_ends_it_in_order(tmp_path: Path, ledger: Path) -> None:
    with _process(tmp_path / "w", ledger / "key.pub", "--name", "witness.example/w1") as (worker, url):
        assert web.get(f"{url}/").status == 404
        worker.send_signal(signal.SIGTERM)
        worker.wait(20)
        assert worker.stderr is not None
        assert b"Traceback" not in worker.stderr.read()


def test_a_whole_round_with_two_of_three_witnesses(call: Call, ledger: Path, tmp_path: Path) -> None:
    """Log, three witnesses (one Ed25519, one ML-DSA-44, one of both that is away), a proof verified offline."""
    document = tmp_path / "evaluation.json"
    document.write_text('{"what": "an evaluation"}')
    with ExitStack() as running:
        lines = [f"log {read_verifiers(ledger / 'key.pub')[0]}"]
        for number, kind in enumerate(("ed25519", "ml-dsa-44", "ed25519")):
            made = open_witness(
                tmp_path / f"w{number}",
                read_verifiers(ledger / "key.pub"),
                name=f"w{number}.example",
                kinds=[kind],
            )
            witness = running.enter_context(made)
            url = running.enter_context(serving(witness)) if number < 2 else "http://127.0.0.1:9"
            lines.append(f"witness w{number} {witness.verifiers[0]} {url}")
        lines += ["group two 2 w0 w1 w2", "quorum two"]
        policy = tmp_path / "policy"
        policy.write_text("\n".join(lines) + "\n")
        assert call("append", document, "--ledger", ledger)[0] == 0
        believed = Policy.load(policy)
        with open_log(ledger) as log, pytest.raises(IntegrityError):
            believed.check(log.head())
        code, out, err = call("head", "--ledger", ledger, "--cosign", "--policy", policy)
        assert code == 0, err
        assert "warning: no answer from http://127.0.0.1:9" in err
        with open_log(ledger) as log:
            assert log.head() == out.encode()
            assert believed.check(log.head()).size == 10
            log.append([b"later, and not cosigned"])
    proof = tmp_path / "evaluation.tlog-proof"
    code, _, err = call("prove", document, "--ledger", ledger, "--policy", policy, "--out", proof)
    assert code == 0, err
    verified = ("verify", proof, "--entry", document, "--policy")
    code, out, err = call(*verified, policy)
    assert code == 0, err
    assert "w0.example, w1.example" in out
    policy.write_text(policy.read_text().replace("group two 2", "group two 3"))
    assert call(*verified, policy)[0] == 1
    assert call("head", "--ledger", ledger, "--cosign", "--policy", policy)[0] == 1
    document.write_text('{"what": "a better evaluation"}')
    policy.write_text(policy.read_text().replace("group two 3", "group two 2"))
    assert call(*verified, policy)[0] == 1


def test_wrong_use_of_head(call: Call, ledger: Path) -> None:
    for half in (["--policy", ledger / "policy"], ["--cosign"]):
        code, _, err = call("head", "--ledger", ledger, *half)
        assert (code, "give both" in err) == (2, True)
    code, out, err = call("head", "--ledger", ledger, "--cosign", "--policy", ledger / "policy")
    assert (code, out) == (2, "")
    assert "no witness in the policy has an address" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "0"], "--log"),
        (["--ledger", "x"], "--log"),
        (["--listen", "0", "--ledger", "x"], "choose"),
        (["--log", "nobody+00000000+AAAA", "--listen", "0"], "public key"),
        (["--log", "missing.pub", "--listen", "0"], "missing.pub"),
        (["--key", "rsa"], "rsa"),
    ],
)
def test_wrong_use(call: Call, tmp_path: Path, arguments: list[str], said: str) -> None:
    code, out, err = call("witness", "--state", tmp_path / "w", "--name", "w.example", *arguments)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("verb", ["witness", "monitor", "anchor"])
def test_it_needs_neither_torch_nor_numpy(verb: str, ledger: Path, tmp_path: Path) -> None:
    arguments = {
        "witness": [
            "--state",
            "w",
            "--name",
            "w.example",
            "--log",
            f"{ledger}/key.pub",
            "--ledger",
            str(ledger),
        ],
        "monitor": ["--ledger", str(ledger), "--state", "seen"],
        "anchor": ["--ledger", str(ledger), "--ots", "http://127.0.0.1:9"],
    }[verb]
    code = (
        f"import sys\nfrom hauberk.cli.app import run\ncode = run({['ledger', verb, *arguments]!r})\n"
        "assert not {'torch', 'numpy', 'web3', 'starlette', 'uvicorn'} & set(sys.modules)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == (3 if verb == "anchor" else 0), done.stderr
