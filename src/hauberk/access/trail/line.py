"""One line of the trail, its bytes, and how lines are chained.

A line's bytes are the RFC 8785 form of the array of its fields, in the order in which they stand below. Its
hash is SHA-256 over the hash before it and these bytes. The chain starts with 32 bytes that only the vault
knows, so that a hash in a public ledger tells nothing of lines that could be guessed.
"""

from __future__ import annotations

import hashlib
import re
from json.encoder import encode_basestring as _quoted  # as RFC 8785 wants texts: escaped where they must be
from typing import NamedTuple

HASH_BYTES = 32
_PLAIN = re.compile(r"[A-Za-z0-9 !#$%&'()*+,./:;<=>?@\[\]^_{|}~-]{0,200}", re.ASCII)
UNPRINTED = "(not shown)"


class Line(NamedTuple):  # thousands a second are made: a tenth of a frozen dataclass's time
    """One decision. No inputs, no secrets.

    Args:
        number: counted from 1, without gaps.
        time_ms: POSIX milliseconds, as the clock said; the order is that of the numbers.
        request: the caller's or a new name for the request.
        who: the identity, "owner", or nothing where nobody was recognised.
        how: by what he was recognised, such as "key 0Ab…".
        source: the address that he asked from, or nothing.
        action: one of ``words.ACTIONS``, "enter" for who signed in or could not, or "alert" for what a
            server's guard found about him.
        model: its name, or nothing.
        version: the names of the version, with spaces between them, or nothing.
        detail: what exactly was to be done, in the words of the command.
        allowed: the answer.
        why: the rules that decided.
    """

    number: int
    time_ms: int
    request: str
    who: str
    how: str
    source: str
    action: str
    model: str
    version: str
    detail: str
    allowed: bool
    why: str

    def __bytes__(self) -> bytes:
        # written out, since the general way takes ten times as long
        texts = ",".join(map(_quoted, self[2:10]))
        allowed = "true" if self.allowed else "false"
        return f"[{self.number},{self.time_ms},{texts},{allowed},{_quoted(self.why)}]".encode()

    def hash(self, before: bytes) -> bytes:
        """The chain's hash after this line."""
        return hashlib.sha256(before + bytes(self)).digest()


def plain(text: str) -> str:
    """What of a caller's own words may stand in the trail: up to 200 printable ASCII characters.

    Anything else is replaced, so that a line can neither be forged with control characters nor be filled with
    what somebody wants to store there.
    """
    return text if _PLAIN.fullmatch(text) else UNPRINTED
