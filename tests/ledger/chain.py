"""A real Ethereum machine in this process (py-evm through eth-tester) behind the JSON-RPC that nodes speak."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from servers import answering

_QUANTITIES = {"value", "gas", "nonce", "chainId", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas"}


class Chain:
    """The node. ``url`` is there while ``chain()`` runs; ``tester`` moves time, blocks and money.

    Args:
        accounts: whether the node says that it has accounts of its own.
    """

    def __init__(self, accounts: bool = True) -> None:
        from web3 import EthereumTesterProvider, Web3

        self.web3 = Web3(EthereumTesterProvider())
        self.tester: Any = self.web3.provider.ethereum_tester  # type: ignore[attr-defined]
        self.accounts = accounts
        self.url = ""
        self.lies: dict[str, Any] = {}

    def answer(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        asked = json.loads(body)
        said: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
        try:
            said["result"] = self._result(asked["method"], asked.get("params") or [])
        except Exception as error:  # noqa: BLE001 (a node answers with what went wrong)
            said["error"] = {"code": -32000, "message": str(error)}
        return 200, "application/json", json.dumps(said).encode()

    def _result(self, method: str, params: list[Any]) -> Any:
        if method in self.lies:
            return self.lies[method]
        if method == "eth_accounts" and not self.accounts:
            return []
        ready = [self._pythonic(one) for one in params]
        if method == "eth_getTransactionByHash":
            from web3.exceptions import TransactionNotFound

            try:
                return _plain(self.web3.eth.get_transaction(ready[0]))
            except TransactionNotFound:
                return None
        if method == "eth_getBlockByNumber":
            return _plain(self.web3.eth.get_block(int(ready[0], 16) if ready[0].startswith("0x") else ready[0]))
        return _plain(self.web3.manager.request_blocking(method, ready))  # type: ignore[arg-type]

    def _pythonic(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {key: int(one, 16) if key in _QUANTITIES else one for key, one in value.items()}


def _plain(value: Any) -> Any:
    """Quantities and bytes as nodes write them."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, bytes):
        return "0x" + bytes(value).hex()
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value]


@contextmanager
def chain(*, accounts: bool = True) -> Iterator[Chain]:
    limit = sys.getrecursionlimit()  # which py-evm raises to where the interpreter itself would crash
    try:
        made = Chain(accounts)
        with answering(made.answer) as made.url:
            yield made
    finally:
        sys.setrecursionlimit(limit)
