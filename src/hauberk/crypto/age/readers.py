"""For whom a file is sealed, as records and commands name him: nothing in it is secret."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from hauberk.crypto.age.keys import Recipient, fingerprint
from hauberk.crypto.age.passphrase import KIND as PASSPHRASE


@dataclass(frozen=True)
class Reader:
    """Somebody for whom a file is sealed.

    Args:
        kind: ``mlkem768x25519``, ``X25519`` or ``scrypt``.
        fingerprint: SHA-256 of the public key as it is written, in hex; None for a passphrase.
    """

    kind: str
    fingerprint: str | None

    @classmethod
    def of(cls, recipient: Recipient) -> Reader:
        known = recipient.kind != PASSPHRASE
        return cls(recipient.kind, fingerprint(recipient).hex() if known else None)

    def to_json(self) -> dict[str, str | None]:
        return asdict(self)
