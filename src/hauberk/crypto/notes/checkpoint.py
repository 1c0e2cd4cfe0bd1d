"""The text of a log's head (c2sp.org/tlog-checkpoint): which log, how many entries, what root hash.

It stands with the notes, since the post-quantum kind of cosignature signs what it says and not its letters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hauberk.core.errors import ConfigError
from hauberk.crypto.notes.note import decode64, encode64, refused

ROOT_BYTES = 32
LARGEST_SIZE = 2**63 - 1
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def parse_decimal(text: str, *, what: str) -> int:
    """A whole number in its one form, of at most 63 bits.

    Raises:
        IntegrityError: anything else, such as a leading zero.
    """
    if not _DECIMAL.fullmatch(text) or int(text) > LARGEST_SIZE:
        raise refused(f"{what} is not a whole number below 2^63")
    return int(text)


@dataclass(frozen=True)
class Checkpoint:
    """The head of a log.

    Args:
        origin: the log's name, one line.
        size: the number of entries.
        root: the root hash of the tree over them, 32 bytes.
        extensions: further lines, which witnesses do not vouch for; none is best.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= LARGEST_SIZE or len(self.root) != ROOT_BYTES:
            raise ConfigError("a checkpoint has a size below 2^63 and a root of 32 bytes")
        for line in (self.origin, *self.extensions):
            if not line or any(one < " " for one in line):
                raise ConfigError(
                    f"the lines of a checkpoint are not empty and have no control characters: {line!r}"
                )

    @property
    def text(self) -> str:
        """What is signed."""
        return "".join(f"{one}\n" for one in (self.origin, self.size, encode64(self.root), *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a note.

        Raises:
            IntegrityError: it is no checkpoint.
        """
        lines = text.removesuffix("\n").split("\n")
        if not text.endswith("\n") or len(lines) < 3 or not all(lines):
            raise refused("a checkpoint has three lines or more, none of them empty")
        if any(one < " " and one != "\n" for one in text):
            raise refused("it has control characters")
        root = decode64(lines[2], what="the root hash")
        if len(root) != ROOT_BYTES:
            raise refused(f"the root hash has {len(root)} bytes instead of {ROOT_BYTES}")
        return cls(lines[0], parse_decimal(lines[1], what="the size"), root, tuple(lines[3:]))
