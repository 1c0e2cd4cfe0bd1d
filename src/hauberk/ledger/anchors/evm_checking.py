"""Is a checkpoint on a chain, in which block, and since when? Any node is asked, without a library.

Apart from ``anchors.evm``, which writes: what it says about its own transaction is not believed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hauberk.core.errors import DataError, IntegrityError
from hauberk.ledger import web
from hauberk.ledger.anchors.receipts import Anchored


def check(url: str, checkpoint: bytes, receipt: Mapping[str, Any], *, confirmations: int = 1) -> Anchored:
    """Find the transaction and compare its data with the checkpoint, byte for byte.

    Args:
        url: a node's JSON-RPC address: one that you trust, since its word is taken for the chain.
        receipt: ``chain_id`` and ``transaction``.
        confirmations: blocks that must stand on the transaction, its own among them.

    Raises:
        IntegrityError: another chain, no such transaction, other data, or too few blocks yet.
        EnvironmentFailure: no node there.

    Limits: a block's time is set by who makes the block, within the chain's own rules (seconds on Ethereum).
    """
    url = web.check_url(url, "a node")
    chain = _number(web.rpc(url, "eth_chainId", []))
    if chain != receipt["chain_id"]:
        raise IntegrityError(
            f"{web.shown(url)} is a node of chain {chain}; the anchor is in chain {receipt['chain_id']}"
        )
    name = receipt["transaction"]
    found = web.rpc(url, "eth_getTransactionByHash", [name])
    if not isinstance(found, Mapping) or found.get("hash") != name:
        raise IntegrityError(f"chain {chain} has no transaction {name}")
    if _data(found.get("input")) != checkpoint:
        raise IntegrityError(f"transaction {name} holds something else than this checkpoint")
    if found.get("blockNumber") is None:
        raise IntegrityError(f"transaction {name} is in no block yet", hint="try again in a minute")
    number = _number(found["blockNumber"])
    block = web.rpc(url, "eth_getBlockByNumber", [hex(number), False])
    if not isinstance(block, Mapping) or block.get("hash") != found.get("blockHash"):
        raise IntegrityError(f"the block of transaction {name} is no longer part of chain {chain}")
    depth = _number(web.rpc(url, "eth_blockNumber", [])) - number + 1
    if depth < confirmations:
        raise IntegrityError(f"{depth} of {confirmations} blocks stand on the anchor so far")
    return Anchored(
        kind="evm",
        existed_by=_moment(block.get("timestamp")),
        witness=f"block {number} of chain {chain}",
        facts={"chain_id": chain, "block": number, "confirmations": depth, "transaction": name},
    )


def _number(value: Any) -> int:
    try:
        return int(value, 16)
    except (TypeError, ValueError):
        raise DataError(f"the node gave {value!r} where a number belongs") from None


def _moment(value: Any) -> datetime:
    try:
        return datetime.fromtimestamp(_number(value), UTC)
    except (OverflowError, ValueError, OSError):
        raise DataError(f"the node gave {value!r} where a time belongs") from None


def _data(value: Any) -> bytes:
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except (AttributeError, ValueError):
        raise DataError("the node gave no data for the transaction") from None
