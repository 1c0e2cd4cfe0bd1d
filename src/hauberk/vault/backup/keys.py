"""The vault's keys inside a backup, sealed for those who may restore.

Whoever runs, stores, checks or prunes backups has the repository's password, and with it the database and the
artifacts as they lie in the vault: encrypted. The keys that open them are under a second lock: an age file for
recipients who need not be on any of these machines. ``age --decrypt --identity ME keys.age | tar x`` opens it
without Hauberk.

Source: c2sp.org/age. The payload is one chunk, of at most 64 KiB.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hauberk.core.errors import IntegrityError
from hauberk.crypto.age import Identity, Recipient, header, new_file_key, unwrap, wrap
from hauberk.crypto.age.wrapping import check_recipients
from hauberk.crypto.derive import hkdf_sha256
from hauberk.crypto.secret import Random, Secret

_CHUNK = 64 << 10
_SALT_BYTES = 16
_ONLY_CHUNK = bytes(11) + b"\x01"  # the nonce of chunk 0 that is also the last


def seal_keys(
    keys: Mapping[str, bytes], recipients: Sequence[Recipient], *, random: Random = os.urandom
) -> bytes:
    """An age file with a tar of key files, by name.

    Raises:
        ConfigError: nobody could open it, or recipients of unequal strength.
    """
    check_recipients(recipients)
    packed = _tar(keys)
    if len(packed) > _CHUNK:
        raise ValueError("key files of more than 64 KiB")
    with new_file_key(random) as file_key:
        head = header.write(wrap(file_key, recipients, random=random), file_key)
        salt = random(_SALT_BYTES)
        with hkdf_sha256(file_key, info=b"payload", salt=salt) as key:
            return head + salt + ChaCha20Poly1305(bytes(key)).encrypt(_ONLY_CHUNK, packed, None)


def open_keys(sealed: bytes, identities: Iterable[Identity]) -> dict[str, Secret]:
    """The key files by name.

    Raises:
        NoIdentityMatched: it is sealed for others.
        IntegrityError: it was changed.
    """
    head = header.parse(sealed)
    salt, body = sealed[head.size : head.size + _SALT_BYTES], sealed[head.size + _SALT_BYTES :]
    with unwrap(head, identities) as file_key, hkdf_sha256(file_key, info=b"payload", salt=salt) as key:
        try:
            packed = ChaCha20Poly1305(bytes(key)).decrypt(_ONLY_CHUNK, body, None)
        except (InvalidTag, ValueError):
            raise IntegrityError("the backup's keys were changed: their tag does not verify") from None
    return _files(packed)


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _files(packed: bytes) -> dict[str, Secret]:
    found: dict[str, Secret] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as archive:
            for entry in archive:
                file = archive.extractfile(entry)
                if file is not None:
                    found[entry.name] = Secret(file.read())
    except tarfile.TarError as error:
        raise IntegrityError(f"the backup's keys are no tar: {error}") from None
    return found
