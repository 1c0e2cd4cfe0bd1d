"""Requests that are sealed to the server itself: a proxy that ends TLS on the way reads nothing of them.

The body of a question, JSON or with binary tensors, travels as an envelope (``hauberk.crypto.envelope``) that
is bound to the model and version that it asks; the answer, or the problem, comes back as one that only the
asker opens. Who asks, which model and how much, the status and the time can still be seen on the way.

    message   4 bytes, big-endian: where the JSON part ends, or 0xffffffff where all of it is JSON || body

A sealed request that somebody sends again is answered again, to whoever sealed it: the sender learns nothing,
and it counts as the caller's question. That is why it is not refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from hauberk.core.errors import IntegrityError
from hauberk.crypto import envelope
from hauberk.crypto.age.hybrid import HybridIdentity, HybridRecipient
from hauberk.serving.door import Headers
from hauberk.serving.problems import Problem, bad_request

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

    from hauberk.vault import Vault

MEDIA_TYPE = b"application/vnd.hauberk.envelope"
_TYPE = (b"content-type", MEDIA_TYPE)
WHERE = "/.well-known/hauberk-sealing-key"
_LABEL = b"sealed requests"
_ALL_JSON = 0xFFFFFFFF
_LENGTH_BYTES = 4
_INNER = (b"content-type", b"inference-header-content-length")
_Response = tuple[int, list[tuple[bytes, bytes]], bytes]


def sealing_key(vault: Vault) -> HybridIdentity:
    """A vault's own, the same for all servers of it."""
    return HybridIdentity(vault.keys.derive(_LABEL))


def fingerprint(recipient: HybridRecipient) -> str:
    """By which a caller knows the key again; he gets it from the vault's owner, not from the server."""
    return f"sha256:{hashlib.sha256(recipient.public).hexdigest()}"


class Sealing:
    """Opens what is sealed to a server."""

    def __init__(self, identity: HybridIdentity) -> None:
        self._key, key = identity.hpke_key(), identity.recipient
        self.document: dict[str, Any] = {
            "key": str(key),
            "fingerprint": fingerprint(key),
            "media_type": MEDIA_TYPE.decode(),
        }

    def request(self, model: str, version: str | None) -> Sealed:
        """One request, yet to be opened."""
        return Sealed(self._key, context(model, version))


class Sealed:
    """One request on its way through the application."""

    def __init__(self, key: MLKEM768X25519PrivateKey, bound_to: bytes) -> None:
        self._key, self._context = key, bound_to
        self._reply: envelope.Reply | None = None

    def open(self, body: bytes) -> tuple[bytes, int | None]:
        """The body of the question, and where its JSON part ends.

        Raises:
            Problem: 400.
        """
        try:
            message, self._reply = envelope.unseal(body, self._key, self._context)
        except IntegrityError:
            raise bad_request(
                "sealed", f"this does not open with the key at {WHERE} for this model and version"
            ) from None
        return unpacked(message)

    async def answered(self, work: Awaitable[_Response]) -> _Response:
        """The answer in an envelope; problems too, once the request was opened."""
        try:
            status, headers, body = await work
        except Problem as problem:
            if self._reply is None:
                raise
            kept = [(name.encode(), value.encode("latin-1")) for name, value in problem.headers.items()]
            status, headers, body = problem.status, kept, problem.body()
        assert self._reply is not None
        length = next((int(value) for name, value in headers if name == _INNER[1]), None)
        outer = [one for one in headers if one[0] not in _INNER]
        return status, [_TYPE, *outer], self._reply.seal(packed(body, length))


def context(model: str, version: str | None) -> bytes:
    """What an envelope is bound to; names hold no line feed."""
    return f"infer\n{model}\n{version or ''}".encode()


def packed(body: bytes, length: int | None) -> bytes:
    return (_ALL_JSON if length is None else length).to_bytes(_LENGTH_BYTES, "big") + body


def unpacked(message: bytes) -> tuple[bytes, int | None]:
    """Body, and where its JSON part ends.

    Raises:
        Problem: 400: no length.
    """
    if len(message) < _LENGTH_BYTES:
        raise bad_request("sealed", "the sealed message is cut short")
    length = int.from_bytes(message[:_LENGTH_BYTES], "big")
    return message[_LENGTH_BYTES:], None if length == _ALL_JSON else length


def is_sealed(headers: Headers) -> bool:
    """Whether a request says that its body is an envelope; asked of every request, so in one look."""
    return _TYPE in headers
