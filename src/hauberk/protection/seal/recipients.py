"""Whose stanza is whose: a list of recipients' fingerprints that only recipients can read.

An age stanza does not say whose it is, and that is right; but then nobody could be removed without naming all
others. So the header ends with a stanza ``hauberk/recipients``, which age passes over: a FLOE message with the
fingerprints in the order of the stanzas before it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from hauberk.core.errors import IntegrityError
from hauberk.crypto.age import Header, Stanza
from hauberk.crypto.floe import HEADER_BYTES, SEGMENT_OVERHEAD, Floe
from hauberk.crypto.secret import Random, Secret
from hauberk.protection.seal.layout import recipients_key

KIND = "hauberk/recipients"
FINGERPRINT_BYTES = 32

_FLOE = Floe(1 << 16)  # room for two thousand fingerprints in one segment


def listed(file_key: Secret, fingerprints: Sequence[bytes], *, random: Random = os.urandom) -> Stanza:
    """The stanza that lists them."""
    text = b"".join(fingerprints)
    with recipients_key(file_key) as key:
        message = _FLOE.encryption(key, b"", random=random)
    segment = bytearray(len(text) + SEGMENT_OVERHEAD)
    message.segment(0, memoryview(text), memoryview(segment), last=True)
    message.wipe()
    return Stanza((KIND,), message.header + segment)


def others(header: Header) -> list[Stanza]:
    """The stanzas that wrap the file key."""
    return [one for one in header.stanzas if one.kind != KIND]


def fingerprints(header: Header, file_key: Secret) -> list[bytes] | None:
    """Those of the stanzas before the list, in order; None where the file has no list.

    Raises:
        IntegrityError: a list that does not verify or does not fit the header.
    """
    own = [one for one in header.stanzas if one.kind == KIND]
    if not own:
        return None
    body = own[0].body
    size = len(body) - HEADER_BYTES - SEGMENT_OVERHEAD
    if len(own) > 1 or header.stanzas[-1] is not own[0] or len(own[0].arguments) > 1:
        raise IntegrityError("the list of recipients is not the last of the header")
    if size != FINGERPRINT_BYTES * len(others(header)):
        raise IntegrityError("the list of recipients does not fit the header")
    with recipients_key(file_key) as key:
        message = _FLOE.decryption(key, b"", body[:HEADER_BYTES])
    text = bytearray(size)
    message.segment(0, memoryview(body)[HEADER_BYTES:], memoryview(text), last=True)
    message.wipe()
    return [bytes(text[at : at + FINGERPRINT_BYTES]) for at in range(0, size, FINGERPRINT_BYTES)]
