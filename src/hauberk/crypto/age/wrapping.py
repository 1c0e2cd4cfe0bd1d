"""A header for those who may read, and the file key for one of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from hauberk.core.errors import ConfigError, NoIdentityMatched
from hauberk.crypto.age import hybrid, passphrase, x25519
from hauberk.crypto.age.header import Header, Stanza, refused
from hauberk.crypto.age.keys import Identity, Recipient, fingerprint
from hauberk.crypto.age.x25519 import FILE_KEY_BYTES
from hauberk.crypto.secret import Random, Secret

MOST_RECIPIENTS = 1000


def new_file_key(random: Random = os.urandom) -> Secret:
    """16 fresh bytes: age's level, 128 bits."""
    return Secret(random(FILE_KEY_BYTES))


def check_recipients(recipients: Sequence[Recipient], *, mixed: bool = False) -> None:
    """Refuse recipients who do not belong into one header.

    Args:
        mixed: allow hybrid and X25519 recipients together; the file is then no safer than X25519.

    Raises:
        ConfigError: nobody, too many, one twice, a passphrase beside others, or kinds of unequal strength.
    """
    if not recipients:
        raise ConfigError("nobody could open it: name at least one recipient")
    check_kinds([one.kind for one in recipients], mixed=mixed)
    prints = [fingerprint(one) for one in recipients]
    if len(set(prints)) != len(prints):
        raise ConfigError("a recipient is named twice")


def check_kinds(kinds: Iterable[str], *, mixed: bool) -> None:
    """The part of ``check_recipients`` that needs no keys."""
    found = list(kinds)
    if len(found) > MOST_RECIPIENTS:
        raise ConfigError(f"{len(found)} recipients, at most {MOST_RECIPIENTS} fit")
    if passphrase.KIND in found and len(found) > 1:
        raise ConfigError("a passphrase stands alone: who knows it could read a file that others vouch for")
    if not mixed and {hybrid.KIND, x25519.KIND} <= set(found):
        raise ConfigError(
            "hybrid and X25519 recipients in one file: a quantum computer could read it through the weaker",
            hint="give everybody a hybrid key, or allow it in so many words: --mixed",
        )


def wrap(file_key: Secret, recipients: Sequence[Recipient], *, random: Random = os.urandom) -> list[Stanza]:
    """One stanza for each recipient, in their order; ``header.write`` makes the header of them."""
    return [one.wrap(file_key, random=random) for one in recipients]


def unwrap(header: Header, identities: Iterable[Identity]) -> Secret:
    """The file key, once one of the identities opens a stanza and the header's MAC verifies.

    Raises:
        NoIdentityMatched: the header is for others.
        IntegrityError: a malformed stanza of a kind that an identity reads, or a MAC that does not verify.
    """
    if len(header.stanzas) > 1 and any(one.kind == passphrase.KIND for one in header.stanzas):
        raise refused("a passphrase does not stand alone")
    for identity in identities:
        for stanza in header.stanzas:
            file_key = identity.unwrap(stanza)
            if file_key is not None:
                try:
                    header.verify(file_key)
                except BaseException:
                    file_key.wipe()
                    raise
                return file_key
    kinds = sorted({one.kind for one in header.stanzas if one.kind in KINDS})
    readers = " and ".join(kinds) or "kinds that are not known here"
    raise NoIdentityMatched(
        f"none of the given keys opens it; it is sealed for {readers}",
        hint="use the identity of a recipient (--identity KEY), or ask one of them to add you",
        why="no match",
    )


KINDS = (hybrid.KIND, x25519.KIND, passphrase.KIND)
"""What can be read here, by the first word of a stanza."""
