"""One entry before it is logged: its bytes, and what belongs to it and stays outside of the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hauberk.core.errors import DataError
from hauberk.ledger.tiles import check_entry


@dataclass(frozen=True)
class Opening:
    """What opens one salted digest. Whoever has it can show the fact; once it is erased, nobody can.

    Args:
        salt: 16 or more random bytes.
        fact: a JSON value.
    """

    salt: bytes = field(repr=False)
    fact: Any = field(repr=False)


@dataclass(frozen=True)
class Entry:
    """What is to be logged.

    Args:
        data: 1 to 65,535 bytes; all of the world may read them.
        subject: the digest of the model it speaks of, under which the store finds it again; None for none.
        openings: by the name that the fact has in the entry; kept beside the log, never in it.
        identity: a digest of what a salted entry says with its facts, by which the store sees that the same is
            to be logged again; it goes when an opening is erased. None where nothing is salted.

    Raises:
        DataError: no bytes, or too many.
    """

    data: bytes
    subject: str | None = None
    openings: Mapping[str, Opening] = field(default_factory=dict, repr=False)
    identity: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.data:
            raise DataError("an entry of a log is not empty")
        check_entry(self.data)
