"""age v1 headers: one file key, wrapped for any number of readers (c2sp.org/age).

    keys          generating keys, reading key files
    bech32        how keys are written
    header        the text of a header, strictly
    hybrid        ML-KEM-768 with X25519: safe against a quantum computer too (the default)
    x25519        elliptic curves alone
    passphrase    scrypt
    wrapping      a header for recipients, a file key for an identity
    readers       for whom a file is sealed, for records
    file          a file that begins with a header, open
    payload       what follows a header in an age file: encrypted chunks that open one by one

Keys, headers and payloads are age's own: ``age-keygen`` makes keys that work here, and what keygen makes works
there. Sealed data are whole age files; a sealed model has a body of its own behind the header.
"""

from __future__ import annotations

from hauberk.crypto.age.file import AgeFile
from hauberk.crypto.age.header import Header, Stanza
from hauberk.crypto.age.keys import (
    Identity,
    Recipient,
    fingerprint,
    generate,
    parse_identity,
    parse_recipient,
    read_identities,
    read_recipients,
    write_key,
)
from hauberk.crypto.age.passphrase import Passphrase
from hauberk.crypto.age.readers import Reader
from hauberk.crypto.age.wrapping import new_file_key, unwrap, wrap

__all__ = [
    "AgeFile",
    "Header",
    "Identity",
    "Passphrase",
    "Reader",
    "Recipient",
    "Stanza",
    "fingerprint",
    "generate",
    "new_file_key",
    "parse_identity",
    "parse_recipient",
    "read_identities",
    "read_recipients",
    "unwrap",
    "wrap",
    "write_key",
]
