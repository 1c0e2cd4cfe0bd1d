"""A checkpoint as the data of one transaction on an Ethereum-type chain.

The bytes of the checkpoint themselves go on the chain, not their digest: with an Ed25519 log they are some 200
bytes, which cost about as much as the transaction itself, and whoever finds the transaction then holds a signed
head that he can check the log against, although every other copy be lost. The account sends to itself, so that
nothing but the fee is spent.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from hauberk.core.errors import ConfigError, DataError, DependencyMissing, EnvironmentFailure, HauberkError
from hauberk.core.files import read_bytes
from hauberk.crypto.secret import Secret
from hauberk.ledger import web

_KEY = re.compile(rb"(?:0x)?([0-9a-fA-F]{64})\s*")
_KEY_MODE = 0o077  # what others must not have


def send(url: str, checkpoint: bytes, *, key_file: str | Path | None = None) -> dict[str, Any]:
    """Send the transaction; it is not yet in a block when this returns.

    Args:
        url: a node's JSON-RPC address.
        key_file: 64 hexadecimal digits, the key that pays; without it the node's first own account does.

    Returns:
        ``chain_id``, ``transaction`` (its hash) and ``account``, as a receipt keeps them.

    Raises:
        DependencyMissing: no web3 here.
        EnvironmentFailure: no node there, or it refuses: no money, no account of its own.

    Cost: on a chain with Ethereum's rules about 21,000 gas and up to 40 for each byte of the checkpoint.
    """
    limit = sys.getrecursionlimit()
    try:
        import requests
        from web3 import HTTPProvider, Web3
        from web3.exceptions import Web3Exception
    except ImportError as error:
        raise DependencyMissing.extra("anchoring in an Ethereum-type chain", "evm") from error
    finally:
        sys.setrecursionlimit(limit)  # web3's libraries raise it to where nested JSON crashes the interpreter
    url = web.check_url(url, "a node")
    options = {"timeout": web.TIMEOUT_S, "allow_redirects": False}
    with requests.Session() as session:
        try:
            return _send(Web3(HTTPProvider(url, options, session)), checkpoint, key_file)
        except HauberkError:
            raise
        except (Web3Exception, OSError, ValueError) as error:
            raise EnvironmentFailure(
                f"the node at {web.shown(url)} did not take the transaction: {_reason(error)}"
            ) from error


def _send(node: Any, checkpoint: bytes, key_file: str | Path | None) -> dict[str, Any]:
    chain = node.eth.chain_id
    if key_file is not None:
        with read_key(key_file) as key:
            account = node.eth.account.from_key(bytes(key))
        sender = account.address
    else:
        accounts = node.eth.accounts
        if not accounts:
            raise EnvironmentFailure(
                "the node has no account of its own", hint="--key FILE names the key that pays"
            )
        account, sender = None, accounts[0]
    wanted = {"from": sender, "to": sender, "value": 0, "data": checkpoint, "chainId": chain}
    if account is None:
        sent = node.eth.send_transaction(wanted)
    else:
        wanted |= {"nonce": node.eth.get_transaction_count(sender, "pending")} | _fee(node)
        wanted["gas"] = node.eth.estimate_gas(wanted)
        sent = node.eth.send_raw_transaction(account.sign_transaction(wanted).raw_transaction)
    return {"chain_id": chain, "transaction": "0x" + bytes(sent).hex(), "account": sender}


def _fee(node: Any) -> dict[str, int]:
    """Twice the present base fee and the usual tip, or the older chains' price."""
    base = node.eth.get_block("latest").get("baseFeePerGas")
    if base is None:
        return {"gasPrice": node.eth.gas_price}
    tip = node.eth.max_priority_fee
    return {"maxFeePerGas": 2 * base + tip, "maxPriorityFeePerGas": tip}


def read_key(path: str | Path) -> Secret:
    """The key that pays, from its file.

    Raises:
        DataError: no file, or not 64 hexadecimal digits.
        ConfigError: others than its owner may read it.
    """
    data = read_bytes(path, what="key that pays")
    if Path(path).stat().st_mode & _KEY_MODE:
        raise ConfigError(f"{path}: others may read the key that pays", hint=f"chmod 600 {path}")
    found = _KEY.fullmatch(data)
    if found is None:
        raise DataError(f"{path} does not hold a key: 64 hexadecimal digits and nothing else")
    return Secret(bytes.fromhex(found[1].decode()))


def _reason(error: BaseException) -> str:
    """One line of what web3 said; what its HTTP library says holds the whole address, perhaps with a key."""
    if isinstance(error, OSError):
        response = getattr(error, "response", None)
        return "it does not answer" if response is None else f"HTTP {response.status_code}"
    told = error.args[0] if error.args else error
    if isinstance(told, dict):
        told = told.get("message", told)
    return (str(told).splitlines() or [type(error).__name__])[0]
