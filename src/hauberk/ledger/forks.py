"""Two heads that one log signed and that cannot both be true, kept side by side for whoever must be told."""

from __future__ import annotations

from pathlib import Path

from hauberk.core.files import directory_aside
from hauberk.ledger.checkpoint import peek

MOST_KEPT = 100  # one is enough to convict; a log that signs a thousand must not fill the disk


def keep(folder: str | Path, first: bytes, second: bytes) -> Path:
    """Write both signed notes as they came into a folder of their own under ``folder``.

    Args:
        first: the head that was seen earlier.

    Returns:
        Where they are: ``first.checkpoint`` and ``second.checkpoint``. Above 100 forks, where they would be.
    """
    folder = Path(folder)
    place = folder / "-".join(("fork", *(_name(one) for one in (first, second))))
    if place.exists() or len(list(folder.glob("fork-*"))) >= MOST_KEPT:
        return place
    with directory_aside(place) as aside:
        (aside / "first.checkpoint").write_bytes(first)
        (aside / "second.checkpoint").write_bytes(second)
    return place


def _name(checkpoint: bytes) -> str:
    head = peek(checkpoint)
    return f"{head.size:012d}-{head.root[:8].hex()}"
