"""Whose signatures are believed: public keys of the three kinds, written as vkeys, ``name+id+key``.

    Ed25519Verifier       a log's own signature
    CosignatureVerifier   a witness, Ed25519
    SubtreeVerifier       a witness (or a log) that a quantum computer cannot forge, ML-DSA-44

A signature of a key that is not known is ignored; one of a known key that does not hold spoils the whole note.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.crypto.notes import messages
from hauberk.crypto.notes.checkpoint import Checkpoint
from hauberk.crypto.notes.note import Note, Signature, check_name, decode64, encode64, refused

PRIVATE_HEAD = "PRIVATE+KEY+"
"""How a written secret key begins."""


@dataclass(frozen=True)
class Verifier:
    """Base: one public key under one name.

    Class attributes: ``KIND`` is its byte in the specifications, ``COSIGNS`` whether its signatures carry a
    time.
    """

    KIND: ClassVar[int]
    COSIGNS: ClassVar[bool]
    name: str
    public: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        size = messages.PUBLIC_BYTES[self.KIND]
        if len(self.public) != size:
            raise DataError(f"the key of {self.name} has {len(self.public)} bytes instead of {size}")

    @property
    def key_id(self) -> bytes:
        return messages.key_id(self.name, self.KIND, self.public)

    def __str__(self) -> str:
        """The vkey."""
        return f"{self.name}+{self.key_id.hex()}+{encode64(bytes([self.KIND]) + self.public)}"

    def made(self, signature: Signature) -> bool:
        """Whether the line says that it is this key's."""
        return signature.name == self.name and signature.key_id == self.key_id

    def verify(self, text: str, data: bytes) -> int | None:
        """Check one signature over the text of a note.

        Returns:
            The POSIX time of a cosignature, or None where the kind has none.

        Raises:
            IntegrityError: it does not hold.
        """
        raise NotImplementedError

    def _wrong(self) -> IntegrityError:
        return IntegrityError(f"the signature of {self.name} does not hold", name=self.name)

    def _split(self, data: bytes) -> tuple[int, bytes]:
        """The time and the signature of a cosignature."""
        time = int.from_bytes(data[: messages.TIME_BYTES], "big")
        if len(data) != messages.TIME_BYTES + messages.SIGNATURE_BYTES[self.KIND] or time >= 2**63:
            raise self._wrong()
        return time, data[messages.TIME_BYTES :]


class _Ed25519(Verifier):
    def _check(self, message: bytes, signature: bytes) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise self._wrong() from None


class Ed25519Verifier(_Ed25519):
    """A key that signs notes of any content."""

    KIND = messages.ED25519
    COSIGNS = False

    def verify(self, text: str, data: bytes) -> int | None:
        self._check(text.encode(), data)
        return None


class CosignatureVerifier(_Ed25519):
    """A key that cosigns checkpoints, with a time."""

    KIND = messages.COSIGNATURE
    COSIGNS = True

    def verify(self, text: str, data: bytes) -> int | None:
        time, signature = self._split(data)
        self._check(messages.cosignature_message(text, time), signature)
        return time


class SubtreeVerifier(Verifier):
    """A key that cosigns checkpoints and other subtrees; extension lines are not covered by it."""

    KIND = messages.SUBTREE
    COSIGNS = True

    def verify(self, text: str, data: bytes) -> int | None:
        head = Checkpoint.parse(text)
        return self.verify_subtree(head.origin, 0, head.size, head.root, data)

    def verify_subtree(self, origin: str, start: int, end: int, root: bytes, data: bytes) -> int:
        """Check a cosignature over the entries from ``start`` to before ``end`` of the log ``origin``.

        Returns:
            Its POSIX time; 0 where the cosigner does not say that he knew of no larger tree.

        Raises:
            IntegrityError: it does not hold.
        """
        time, signature = self._split(data)
        try:
            message = messages.subtree_message(self.name, time, origin, start, end, root)
            MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ConfigError, ValueError):
            raise self._wrong() from None
        return time


KINDS: dict[int, type[Verifier]] = {
    kind.KIND: kind for kind in (Ed25519Verifier, CosignatureVerifier, SubtreeVerifier)
}


def parse_verifier(text: str) -> Verifier:
    """Read a vkey.

    Raises:
        DataError: it is none, or of a kind that is not known here.
    """
    if text.startswith(PRIVATE_HEAD):
        raise DataError("this is a secret key; a public key is asked for", hint="use the .pub file")
    try:
        name, id_, encoded = text.split("+", 2)
        check_name(name)
        data = decode64(encoded, what="the key")
        kind = KINDS[data[0]]
    except KeyError:
        raise DataError(f"the public key {text[:60]!r} is of a kind that is not known here") from None
    except (ConfigError, IntegrityError, ValueError, IndexError):
        raise DataError(f"{text[:60]!r} is no public key of a log or witness", hint="NAME+ID+KEY") from None
    verifier = kind(name, data[1:])
    if verifier.key_id.hex() != id_:
        raise DataError(
            f"the public key of {name} does not belong to its id {id_[:8]}: a letter was lost or changed"
        )
    return verifier


@dataclass(frozen=True)
class Verified:
    """A signature that holds. ``time`` is None where its kind has none."""

    verifier: Verifier
    time: int | None


def verify(note: Note, verifiers: Iterable[Verifier]) -> tuple[Verified, ...]:
    """Which of the known keys have signed; what other keys did is ignored.

    Returns:
        One or more, in the order of the note.

    Raises:
        IntegrityError: a known key's signature does not hold, or no known key has signed.
    """
    known = {(one.name, one.key_id): one for one in verifiers}
    found = []
    for signature in note.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is not None:
            found.append(Verified(verifier, verifier.verify(note.text, signature.data)))
    if not found:
        raise refused("none of the known keys has signed it")
    return tuple(found)
