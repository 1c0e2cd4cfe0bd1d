"""Keys that sign: the secret halves of the three kinds, each made from 32 random bytes."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from hauberk.core.clock import Clock, now
from hauberk.core.errors import DataError, check_known
from hauberk.crypto.notes import messages
from hauberk.crypto.notes.checkpoint import Checkpoint
from hauberk.crypto.notes.note import Signature, check_name
from hauberk.crypto.notes.verifiers import KINDS as VERIFIERS
from hauberk.crypto.notes.verifiers import Verifier
from hauberk.crypto.secret import Random, Secret

SEED_BYTES = 32


@dataclass(frozen=True, repr=False)
class Signer:
    """Base: one secret key under one name, 32 bytes."""

    KIND: ClassVar[int]
    name: str
    secret: Secret

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.secret) != SEED_BYTES:
            raise DataError(
                f"the secret key of {self.name} has {len(self.secret)} bytes instead of {SEED_BYTES}"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def _public(self) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes_raw()

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return VERIFIERS[self.KIND](self.name, self._public())

    def sign(self, text: str, *, clock: Clock = now) -> Signature:
        """Sign the text of a note; cosignatures carry the time of ``clock``.

        Raises:
            IntegrityError: the key cosigns, and the text is no checkpoint.
        """
        return self._signature(self._data(text, clock))

    def _data(self, text: str, clock: Clock) -> bytes:
        raise NotImplementedError

    def _signature(self, data: bytes) -> Signature:
        return Signature(self.name, messages.key_id(self.name, self.KIND, self._public()), data)

    def wipe(self) -> None:
        self.secret.wipe()


class Ed25519Signer(Signer):
    """A log's own key."""

    KIND = messages.ED25519

    def _data(self, text: str, clock: Clock) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.secret).sign(text.encode())


class CosignatureSigner(Signer):
    """A witness' key, Ed25519."""

    KIND = messages.COSIGNATURE

    def _data(self, text: str, clock: Clock) -> bytes:
        Checkpoint.parse(text)
        time = _seconds(clock)
        message = messages.cosignature_message(text, time)
        return struct.pack(">Q", time) + Ed25519PrivateKey.from_private_bytes(self.secret).sign(message)


class SubtreeSigner(Signer):
    """A witness' or log's key, ML-DSA-44."""

    KIND = messages.SUBTREE

    def _public(self) -> bytes:
        return self._key().public_key().public_bytes_raw()

    def _key(self) -> MLDSA44PrivateKey:
        return MLDSA44PrivateKey.from_seed_bytes(self.secret)

    def _data(self, text: str, clock: Clock) -> bytes:
        head = Checkpoint.parse(text)
        return self._cosign(_seconds(clock), head.origin, 0, head.size, head.root)

    def sign_subtree(self, origin: str, start: int, end: int, root: bytes) -> Signature:
        """Cosign the entries from ``start`` to before ``end`` of the log ``origin``, without a time.

        Raises:
            ConfigError: they are no subtree.
        """
        return self._signature(self._cosign(0, origin, start, end, root))

    def _cosign(self, time: int, origin: str, start: int, end: int, root: bytes) -> bytes:
        message = messages.subtree_message(self.name, time, origin, start, end, root)
        return struct.pack(">Q", time) + self._key().sign(message)


KINDS: dict[str, type[Signer]] = {
    "ed25519": Ed25519Signer,
    "cosignature-ed25519": CosignatureSigner,
    "cosignature-ml-dsa-44": SubtreeSigner,
}
"""What ``generate`` makes: the first for a log, the others for witnesses, the last for a log besides."""


def generate(name: str, kind: str = "ed25519", *, random: Random = os.urandom) -> Signer:
    """A new key.

    Raises:
        UnknownName: no such kind.
        ConfigError: a name with spaces or ``+``.
    """
    check_known([kind], KINDS, what="kind of key", where="generate")
    return KINDS[kind](name, Secret(random(SEED_BYTES)))


def _seconds(clock: Clock) -> int:
    return messages.check_time(int(clock().timestamp()))
