"""A checkpoint on a real Ethereum machine: what is written is found again, and nothing else is taken for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from branches import Branch, numbered
from chain import Chain, chain
from servers import need

from hauberk.core.errors import ConfigError, DataError, EnvironmentFailure, IntegrityError
from hauberk.ledger.anchors import evm, evm_checking, receipts

HEAD = Branch(numbered(9)).checkpoint()


@pytest.fixture
def node(absent: Callable[[str, str], None]) -> Iterator[Chain]:
    need(absent, "pip install 'hauberk[evm]' 'eth-tester[py-evm]'", "web3", "eth_tester", "eth")
    with chain() as made:
        yield made


def test_written_by_the_nodes_account_and_found(node: Chain) -> None:
    sent = evm.send(node.url, HEAD)
    before = datetime.now(UTC).timestamp()
    kept = receipts.from_json(receipts.to_json(sent), where="receipt")
    found = evm_checking.check(node.url, HEAD, kept)
    block = node.web3.eth.get_block("latest")
    assert bytes(node.web3.eth.get_transaction(sent["transaction"])["input"]) == HEAD
    assert found.existed_by is not None
    assert found.existed_by.timestamp() == block["timestamp"]
    assert abs(block["timestamp"] - before) < 120
    assert found.facts["block"] == block["number"]
    assert found.facts["chain_id"] == node.web3.eth.chain_id
    transaction = node.web3.eth.get_transaction(sent["transaction"])
    assert (transaction["from"], transaction["value"]) == (transaction["to"], 0)  # nothing but the fee is spent


def test_paid_with_a_key_from_a_file(node: Chain, tmp_path: Path) -> None:
    payer = node.web3.eth.account.create()
    node.web3.eth.send_transaction({"from": node.web3.eth.accounts[0], "to": payer.address, "value": 10**18})  # type: ignore[typeddict-item]
    file = tmp_path / "payer"
    file.write_text(payer.key.hex() + "\n")
    file.chmod(0o600)
    node.accounts = False
    for _ in range(2):  # the second with the next nonce
        sent = evm.send(node.url, HEAD, key_file=file)
        assert sent["account"] == payer.address
        assert evm_checking.check(node.url, HEAD, sent).kind == "evm"
    spent = 10**18 - node.web3.eth.get_balance(payer.address)
    assert 0 < spent < 10**15  # a fee


def test_no_account_and_no_money(node: Chain, tmp_path: Path) -> None:
    node.accounts = False
    with pytest.raises(EnvironmentFailure, match="no account"):
        evm.send(node.url, HEAD)
    file = tmp_path / "payer"
    file.write_text("0x" + "11" * 32)
    file.chmod(0o600)
    with pytest.raises(EnvironmentFailure, match="did not take"):
        evm.send(node.url, HEAD, key_file=file)


def test_another_head_is_not_taken_for_it(node: Chain) -> None:
    sent = evm.send(node.url, HEAD)
    for place in range(0, len(HEAD), 7):
        changed = bytearray(HEAD)
        changed[place] ^= 1
        with pytest.raises(IntegrityError):
            evm_checking.check(node.url, bytes(changed), sent)


def test_another_transaction_or_chain_is_not_taken_for_it(node: Chain) -> None:
    sent = evm.send(node.url, HEAD)
    other = evm.send(node.url, b"something else")
    with pytest.raises(IntegrityError, match="something else"):
        evm_checking.check(node.url, HEAD, {**sent, "transaction": other["transaction"]})
    with pytest.raises(IntegrityError, match="no transaction"):
        evm_checking.check(node.url, HEAD, {**sent, "transaction": "0x" + "00" * 32})
    with pytest.raises(IntegrityError, match="node of chain"):
        evm_checking.check(node.url, HEAD, {**sent, "chain_id": 1})


def test_blocks_that_must_stand_on_it(node: Chain) -> None:
    sent = evm.send(node.url, HEAD)
    with pytest.raises(IntegrityError, match="1 of 3"):
        evm_checking.check(node.url, HEAD, sent, confirmations=3)
    node.tester.mine_blocks(2)
    assert evm_checking.check(node.url, HEAD, sent, confirmations=3).facts["confirmations"] == 3


def test_a_transaction_that_is_in_no_block_yet(node: Chain) -> None:
    node.tester.disable_auto_mine_transactions()
    sent = evm.send(node.url, HEAD)
    with pytest.raises(IntegrityError):
        evm_checking.check(node.url, HEAD, sent)
    node.tester.mine_block()
    assert evm_checking.check(node.url, HEAD, sent).existed_by


def test_a_block_that_was_replaced(node: Chain) -> None:
    """A reorganisation: the block that held the transaction is gone, and so is the anchor."""
    before = node.tester.take_snapshot()
    sent = evm.send(node.url, HEAD)
    assert evm_checking.check(node.url, HEAD, sent)
    node.tester.revert_to_snapshot(before)
    node.tester.mine_blocks(2)
    with pytest.raises(IntegrityError):
        evm_checking.check(node.url, HEAD, sent)


@pytest.mark.parametrize(
    "lie",
    [
        {"eth_chainId": "x"},
        {"eth_chainId": None},
        {"eth_getTransactionByHash": []},
        {"eth_getTransactionByHash": {"hash": "0x00"}},
        {"eth_getBlockByNumber": None},
        {"eth_getBlockByNumber": {"hash": "0x00"}},
        {"eth_blockNumber": {}},
    ],
)
def test_a_node_that_answers_nonsense(node: Chain, lie: dict[str, object]) -> None:
    sent = evm.send(node.url, HEAD)
    node.lies = lie
    with pytest.raises((IntegrityError, DataError)):
        evm_checking.check(node.url, HEAD, sent)


def test_keys_that_pay_are_read_strictly(tmp_path: Path) -> None:
    file = tmp_path / "payer"
    with pytest.raises(DataError):
        evm.read_key(file)
    file.write_text("11" * 32)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        evm.read_key(file)
    file.chmod(0o600)
    assert evm.read_key(file).same(b"\x11" * 32)
    for text in ("", "11" * 31, "11" * 33, "11" * 32 + " 22", "x" * 64):
        file.write_text(text)
        with pytest.raises(DataError) as caught:
            evm.read_key(file)
        assert "11" * 31 not in str(caught.value)


def test_nobody_there() -> None:
    with pytest.raises(EnvironmentFailure):
        evm.send("http://127.0.0.1:9", HEAD)
    with pytest.raises(EnvironmentFailure):
        evm_checking.check("http://127.0.0.1:9", HEAD, {"chain_id": 1, "transaction": "0x00"})
    with pytest.raises(ConfigError):
        evm.send("node", HEAD)


def test_the_interpreters_limits_stay_as_they_are(node: Chain) -> None:
    """web3's libraries raise the recursion limit so far that parsing nested JSON would crash afterwards."""
    code = (
        "import sys\nfrom hauberk.ledger.anchors import evm\nbefore = sys.getrecursionlimit()\n"
        f"evm.send({node.url!r}, {HEAD!r})\nassert 'web3' in sys.modules\n"
        "assert sys.getrecursionlimit() == before, sys.getrecursionlimit()"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True)
