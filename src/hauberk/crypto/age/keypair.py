"""What recipients with a key pair have in common: how keys are written, and the form of their stanzas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hauberk.core.errors import DataError
from hauberk.crypto.age import bech32
from hauberk.crypto.age.header import Stanza, decode, refused
from hauberk.crypto.secret import Secret

BODY_BYTES = 32  # of a stanza: the file key and a tag


@dataclass(frozen=True)
class PublicKey:
    """Base: a recipient.

    Class attributes: ``kind`` of its stanzas, ``PREFIX`` of the written key, ``CALLED`` in messages, and
    ``SIZE`` in bytes.
    """

    PREFIX: ClassVar[str]
    CALLED: ClassVar[str]
    SIZE: ClassVar[int]
    kind: ClassVar[str]
    public: bytes

    def __post_init__(self) -> None:
        if len(self.public) != self.SIZE:
            raise DataError(f"{self.CALLED} public key has {self.SIZE} bytes, got {len(self.public)}")

    def __str__(self) -> str:
        return bech32.encode(self.PREFIX, self.public)


@dataclass(frozen=True, repr=False)
class SecretKey:
    """Base: an identity, with 32 secret bytes. ``SHARE`` is the size of what a stanza of its kind carries."""

    PREFIX: ClassVar[str]
    CALLED: ClassVar[str]
    SHARE: ClassVar[int]
    kind: ClassVar[str]
    secret: Secret

    def __post_init__(self) -> None:
        if len(self.secret) != 32:
            raise DataError(f"{self.CALLED} secret key has 32 bytes, got {len(self.secret)}")

    def written(self) -> str:
        """The line that goes into a key file."""
        return bech32.encode(self.PREFIX, self.secret)

    def wipe(self) -> None:
        self.secret.wipe()

    def share(self, stanza: Stanza) -> bytes | None:
        """What a stanza carries besides its body, or None where it is of another kind.

        Raises:
            IntegrityError: a stanza of this kind that is malformed.
        """
        if stanza.kind != self.kind:
            return None
        if len(stanza.arguments) != 2:
            raise refused(f"{self.CALLED} stanza has two arguments")
        share = decode(stanza.arguments[1])
        if len(share) != self.SHARE or len(stanza.body) != BODY_BYTES:
            raise refused(f"{self.CALLED} stanza has the wrong length")
        return share
