"""hauberk ledger anchor: made and checked by transcript, and a log that was rewritten since is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from authority import Authority
from branches import Branch, numbered
from chain import chain
from servers import answering, need

from hauberk.cli.app import run
from hauberk.core.errors import IntegrityError
from hauberk.ledger.anchors import receipts, rfc3161
from hauberk.ledger.anchors.judging import Sources, judge
from hauberk.ledger.opening import create_ledger, open_log
from hauberk.ledger.policy import Policy

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def made(*arguments: object) -> tuple[int, str, str]:
        code = run(["ledger", "anchor", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return made


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    with create_ledger(tmp_path / "log", origin="log.example/models") as log:
        log.append(numbered(9))
    return tmp_path / "log"


@pytest.fixture
def stamps(absent: Callable[[str, str], None], tmp_path: Path) -> Authority:
    need(absent, "pip install 'hauberk[timestamp]'", "rfc3161_client")
    return Authority(tmp_path / "tsa")


def test_on_a_chain(call: Call, ledger: Path, absent: Callable[[str, str], None]) -> None:
    need(absent, "pip install 'hauberk[evm]' 'eth-tester[py-evm]'", "web3", "eth_tester", "eth")
    with chain() as node:
        code, out, err = call("--ledger", ledger, "--evm", node.url)
        assert code == 0, err
        receipt = Path(out.strip())
        assert receipt.parent == ledger / "anchors"
        assert receipt.name.startswith("000000000009-")
        code, out, err = call("--check", receipt, "--evm", node.url, "--ledger", ledger)
        assert code == 0, err
        assert "the head of 9 entries existed by" in out
        assert "the log of now, 9 entries, continues it" in out
        code, out, _ = call("--check", receipt, "--evm", node.url, "--policy", ledger / "policy", "--json")
        told = json.loads(out)
        assert (code, told["ok"], told["kind"], told["size"], told["now"]) == (0, True, "evm", 9, None)
        code, _, err = call("--check", receipt, "--evm", node.url, "--ledger", ledger, "--confirmations", 2)
        assert code == 1
        assert "1 of 2 blocks" in err
        again = call("--ledger", ledger, "--evm", node.url, "--json")
        [second] = json.loads(again[1])["receipts"]
        assert second["file"] != str(receipt)  # an earlier receipt is never replaced


def test_under_a_time_stamp(call: Call, ledger: Path, stamps: Authority) -> None:
    with stamps.serving() as url:
        code, out, err = call("--ledger", ledger, "--rfc3161", url)
    assert code == 0, err
    receipt = Path(out.strip())
    assert stamps.verifies(receipt, receipts.head_of(receipt))
    assert call("--check", receipt, "--ca", stamps.ca, "--ledger", ledger)[0] == 0
    with open_log(ledger) as log:
        log.append([b"one more"])
    assert "10 entries, continues it" in call("--check", receipt, "--ca", stamps.ca, "--ledger", ledger)[1]

    code, _, err = call("--check", receipt, "--ledger", ledger)
    assert code == 2
    assert "--ca FILE" in err
    head = receipts.head_of(receipt)
    head.write_bytes(head.read_bytes().replace(b"\n9\n", b"\n8\n"))
    assert call("--check", receipt, "--ca", stamps.ca, "--ledger", ledger)[0] == 1


def test_a_calendar_that_is_not_done(call: Call, ledger: Path) -> None:
    from hauberk.ledger.anchors import ots_format

    addresses: list[str] = []

    def answer(path: str, body: bytes) -> tuple[int, str, bytes]:
        if path != "/digest":
            return 404, "text/plain", b"pending"
        step = ots_format.Step(0xF0, b"nonce")
        stamp = ots_format.Stamp(body)
        stamp.steps.append((step, ots_format.Stamp(step(body), [ots_format.pending(addresses[0])])))
        return 200, "application/octet-stream", bytes(stamp)

    with answering(answer) as url:
        addresses.append(url)
        code, out, err = call("--ledger", ledger, "--ots", url)
        assert code == 0, err
        code, _, err = call("--check", out.strip(), "--ots", url, "--bitcoin", url, "--ledger", ledger)
    assert code == 1
    assert "not in Bitcoin yet" in err
    assert f"--ots {url}" in err


@pytest.mark.parametrize("change", ["replaced", "removed", "reordered", "dated back", "cut"])
def test_a_log_that_was_rewritten_contradicts_its_anchor(
    stamps: Authority, tmp_path: Path, change: str
) -> None:
    """Its keeper has the key and can sign a new tree, but not have it stamped in the past."""
    log = Branch(numbered(9))
    policy = Policy.of_log(log.signer.verifier)
    sources = Sources(ca_file=stamps.ca)
    with stamps.serving() as url:
        head = receipts.bare(log.head())
        receipt = receipts.save(tmp_path, head, "rfc3161", rfc3161.request(url, head))
    before = log.list
    log.list = [*before, b"grown"]
    assert judge(receipt, sources, policy, log=log).now
    log.list = {
        "replaced": [*before[:4], b"another", *before[5:], b"grown"],
        "removed": [*before[:4], *before[5:], b"grown"],
        "reordered": [*before[:4], before[5], before[4], *before[6:], b"grown"],
        "dated back": [*before[:4], b"older than it is", *before[4:], b"grown"],
        "cut": before[:5],
    }[change]
    with pytest.raises(IntegrityError):
        judge(receipt, sources, policy, log=log)
    other = Branch(log.list)  # an honest log of somebody else's
    with pytest.raises(IntegrityError):
        judge(receipt, sources, Policy.of_log(other.signer.verifier), log=other)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--ledger"),
        (["--ledger", "LEDGER"], "--evm URL, --rfc3161 URL or --ots URL"),
        (["--ledger", "LEDGER", "--payer", "key", "--rfc3161", "http://127.0.0.1:9"], "--evm URL"),
        (["--ledger", "postgresql://u@127.0.0.1:9/x", "--evm", "http://127.0.0.1:9"], "--out DIR"),
        (["--check", "file.txt", "--ledger", "LEDGER"], "no receipt"),
        (["--check", "gone.checkpoint.tsr", "--ledger", "LEDGER", "--ca", "x"], "no checkpoint"),
        (["--check", "gone.checkpoint.tsr"], "--policy"),
        (["--check", "gone.checkpoint.tsr", "--ots", "http://127.0.0.1:9"], "no use for a calendar"),
        (["--ledger", "LEDGER", "--evm", "node"], "http://"),
        (["--check", "x.evm.json", "--evm", "http://127.0.0.1:9", "--confirmations", "0"], "confirmations"),
    ],
)
def test_wrong_use(call: Call, ledger: Path, arguments: list[str], said: str) -> None:
    code, out, err = call(*(str(ledger) if one == "LEDGER" else one for one in arguments))
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_nobody_there_leaves_nothing(call: Call, ledger: Path) -> None:
    for option in ("--evm", "--rfc3161", "--ots"):
        assert call("--ledger", ledger, option, "http://127.0.0.1:9")[0] == 3
    assert not (ledger / "anchors").exists()
