"""Keys: made, written, read.

A key file holds the identity, one ``AGE-SECRET-KEY-…`` a line, with comments; it is for its owner alone. The
file beside it, ``.pub``, holds the recipient, ``age1…``, and is for everybody.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from hauberk.core.clock import Clock, now, timestamp
from hauberk.core.errors import ConfigError, DataError, check_known
from hauberk.core.files import read_bytes, write_atomic
from hauberk.crypto.age import bech32
from hauberk.crypto.age.header import Stanza
from hauberk.crypto.age.hybrid import HybridIdentity, HybridRecipient
from hauberk.crypto.age.passphrase import Passphrase
from hauberk.crypto.age.x25519 import X25519Identity, X25519Recipient
from hauberk.crypto.secret import Random, Secret


class Recipient(Protocol):
    """Whoever a file key can be wrapped for."""

    @property
    def kind(self) -> str: ...

    def wrap(self, file_key: Secret, *, random: Random = ...) -> Stanza: ...


class Identity(Protocol):
    """Whoever can unwrap it."""

    @property
    def kind(self) -> str: ...

    def unwrap(self, stanza: Stanza) -> Secret | None: ...

    def wipe(self) -> None: ...


KINDS: dict[str, Any] = {"hybrid": HybridIdentity, "x25519": X25519Identity}
"""What ``generate`` makes, by the names that the command line uses."""

_LARGEST = 1 << 20  # of a key file: a longer one is something else


def generate(kind: str = "hybrid", *, random: Random = os.urandom) -> HybridIdentity | X25519Identity:
    """A new identity.

    Raises:
        UnknownName: no such kind; there are ``hybrid`` and ``x25519``.
    """
    check_known([kind], KINDS, what="kind of key", where="generate")
    made: HybridIdentity | X25519Identity = KINDS[kind](Secret(random(32)))
    return made


def fingerprint(recipient: Recipient) -> bytes:
    """SHA-256 of the written recipient: 32 bytes, no secret. A passphrase has none and gives zeros."""
    if isinstance(recipient, Passphrase):
        return bytes(32)
    return hashlib.sha256(str(recipient).encode()).digest()


def parse_recipient(text: str) -> HybridRecipient | X25519Recipient:
    """``age1…`` or ``age1pq1…``.

    Raises:
        DataError: neither.
    """
    if text.upper().startswith("AGE-SECRET-KEY-"):
        raise DataError("this is a secret key; recipients are public keys, age1…", hint="use the .pub file")
    prefix, data = bech32.decode(text)
    for kind in (X25519Recipient, HybridRecipient):
        if prefix == kind.PREFIX:
            return kind(bytes(data))
    raise DataError(f"a recipient of a kind that is not known here: '{prefix}1…'")


def parse_identity(text: str) -> HybridIdentity | X25519Identity:
    """``AGE-SECRET-KEY-…``, in capitals.

    Raises:
        DataError: something else; it is not repeated in the message.
    """
    if text.startswith("age1"):
        raise DataError("this is a public key; identities are secret keys", hint="use the file without .pub")
    prefix, data = bech32.decode(text)
    secret = Secret(data)
    data[:] = bytes(len(data))
    for kind in (X25519Identity, HybridIdentity):
        if prefix == kind.PREFIX:
            return kind(secret)
    secret.wipe()
    raise DataError("an identity of a kind that is not known here")


def _lines(path: Path, what: str) -> list[tuple[int, str]]:
    if path.exists() and not path.is_file():
        raise DataError(f"{path} is not a {what}")
    data = read_bytes(path, what=what) if not path.exists() or path.stat().st_size <= _LARGEST else b"\xff"
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a {what}") from None
    found = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    found = [(number, line) for number, line in found if line and not line.startswith("#")]
    if not found:
        raise DataError(f"{path} holds no key")
    return found


def read_identities(path: str | Path) -> list[HybridIdentity | X25519Identity]:
    """The identities of a key file, from this program's keygen or from ``age-keygen``.

    Raises:
        DataError: no such file, or a line that is no identity; the message names the line, not its content.
    """
    path = Path(path)
    return [_placed(path, number, parse_identity, line) for number, line in _lines(path, "key file")]


def read_recipients(path: str | Path) -> list[HybridRecipient | X25519Recipient]:
    """The recipients of a ``.pub`` file, one a line.

    Raises:
        DataError: no such file, or a line that is no recipient.
    """
    path = Path(path)
    return [
        _placed(path, number, parse_recipient, line) for number, line in _lines(path, "file of public keys")
    ]


def _placed(path: Path, number: int, parse: Any, line: str) -> Any:
    try:
        return parse(line)
    except DataError as error:
        raise DataError(f"{path}, line {number}: {error}", hint=error.hint) from None


def write_key(
    path: str | Path, identity: HybridIdentity | X25519Identity, *, clock: Clock = now
) -> Sequence[Path]:
    """Write the identity to ``path`` (readable by its owner alone) and the recipient to ``path``.pub.

    Raises:
        ConfigError: one of the two is there already; a key is never replaced.
    """
    secret, public = Path(path), Path(f"{path}.pub")
    for one in (secret, public):
        if one.exists() or one.is_symlink():
            raise ConfigError(
                f"{one} exists already: a key is never replaced, what it opens would be lost",
                hint="choose another --out",
            )
    recipient = str(identity.recipient)
    text = f"# created: {timestamp(clock)}\n# public key: {recipient}\n{identity.written()}\n"
    write_atomic(secret, text.encode(), mode=0o600)
    write_atomic(public, f"{recipient}\n".encode())
    return secret, public
