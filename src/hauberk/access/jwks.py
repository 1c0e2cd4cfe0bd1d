"""The public keys of an issuer of tokens, from its JWKS address or a file, kept for a while.

A key that is not known makes us look again, since issuers rotate their keys, but not more often than every
half minute, whatever tokens come. When the issuer cannot be reached, the keys that are known stay good for a
day; then nobody is let in.

Source: RFC 7517; RFC 7518 and RFC 8037 for which algorithm goes with which key.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from hauberk.core.canonical import parse_json
from hauberk.core.clock import Clock, now
from hauberk.core.errors import ConfigError, DataError, EnvironmentFailure, HauberkError
from hauberk.core.files import read_bytes
from hauberk.ledger import web

Fetch = Callable[[str], bytes]

FRESH_S = 600.0
STALE_S = 86_400.0
BETWEEN_S = 30.0
_TIMEOUT_S = 5.0
_LEAST_RSA_BITS = 2048
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_ALGORITHMS: Mapping[tuple[str, str | None], tuple[str, ...]] = {
    ("RSA", None): _RSA,
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}


@dataclass(frozen=True)
class VerifyingKey:
    """A public key, and the only algorithms that may be used with it; the token has no say in that."""

    key: Any
    algorithms: tuple[str, ...]


class KeySet:
    """An issuer's keys.

    Args:
        where: an https address, an http address on this machine, or a file.
        fetch: gets what stands there.
        clock: for how old it is.

    Raises:
        ConfigError: another kind of address.
    """

    def __init__(self, where: str | Path, *, fetch: Fetch | None = None, clock: Clock = now) -> None:
        self._where = str(where)
        self._fetch = fetch or (_get if _is_address(self._where) else _read)
        self._clock, self._lock = clock, Lock()
        self._keys: dict[str | None, VerifyingKey] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None

    def find(self, name: str | None) -> VerifyingKey | None:
        """A key by its ``kid``; without one, the only key of a set of one.

        Raises:
            EnvironmentFailure: what is known is more than a day old, and nothing newer can be had.
        """
        with self._lock:
            present = self._clock().timestamp()
            if self._age(present, self._read_at) > FRESH_S or name not in self._keys:
                self._renew(present)
            if self._age(present, self._read_at) > STALE_S:
                raise EnvironmentFailure(
                    f"the keys of {self._where} cannot be had", hint="nobody is let in without them"
                )
            return self._keys.get(name)

    def _renew(self, present: float) -> None:
        if self._age(present, self._tried_at) < BETWEEN_S:
            return
        self._tried_at = present
        try:
            self._keys = parse_keys(self._fetch(self._where), self._where)
        except (HauberkError, OSError):
            return  # what is known stays, until it is too old
        self._read_at = present

    @staticmethod
    def _age(present: float, since: float | None) -> float:
        """Seconds; a clock that was set back makes everything old."""
        if since is None or present < since:
            return float("inf")
        return present - since


def parse_keys(data: bytes, where: str) -> dict[str | None, VerifyingKey]:
    """The keys for signatures in a JWKS; kinds that are not known, and all that are secret, are left out.

    Raises:
        DataError: it is no JWKS, or two keys have one name.
    """
    document = parse_json(data, where=where)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise DataError(f"{where} is no JWKS: it has no list of 'keys'")
    found: dict[str | None, VerifyingKey] = {}
    for one in entries:
        key = _usable(one)
        if key is None:
            continue
        name = one.get("kid")
        if name in found:
            raise DataError(f"{where}: two keys have one name")
        found[name] = key
    if len(found) == 1:
        found[None] = next(iter(found.values()))
    else:
        found.pop(None, None)  # among several, a key without a name is nobody's
    return found


def _usable(entry: Any) -> VerifyingKey | None:
    import jwt

    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("kid"), str | None)
        or entry.get("use", "sig") != "sig"
    ):
        return None
    family, curve = entry.get("kty"), entry.get("crv")
    if not isinstance(family, str) or not isinstance(curve, str | None):
        return None
    algorithms = _ALGORITHMS.get((family, curve), ())
    if entry.get("alg") is not None:
        algorithms = tuple(one for one in algorithms if one == entry["alg"])
    if not algorithms:
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=algorithms[0]).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if getattr(key, "key_size", _LEAST_RSA_BITS) < _LEAST_RSA_BITS and family == "RSA":
        return None
    return VerifyingKey(_public(key), algorithms)


def _public(key: Any) -> Any:
    """An issuer that published its private key by mistake is still only asked to verify."""
    return key.public_key() if hasattr(key, "private_bytes") else key


def _is_address(where: str) -> bool:
    parts = urlsplit(where)
    if not parts.scheme or "://" not in where:
        return False
    if parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname or "")):
        return True
    raise ConfigError(
        f"keys are fetched by https, got {where}", hint="http is for this machine alone; a file will do too"
    )


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _get(where: str) -> bytes:
    answer = web.get(where, accept="application/json", timeout_s=_TIMEOUT_S)
    if answer.status != HTTPStatus.OK:
        raise EnvironmentFailure(f"{web.shown(where)} answers with HTTP {answer.status}")
    return answer.body


def _read(where: str) -> bytes:
    return read_bytes(where, what="JWKS file")
