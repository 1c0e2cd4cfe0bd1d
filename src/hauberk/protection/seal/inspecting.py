"""What may be told of a sealed file: by everybody without a key, and by its readers with one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hauberk.crypto import age
from hauberk.crypto.age import hybrid
from hauberk.protection.seal import recipients as lists
from hauberk.protection.seal.container import SealedFile, Unlocked
from hauberk.protection.seal.weights import TensorEntry


@dataclass(frozen=True)
class Outside:
    """What everybody can see. None of it is verified: without a key nobody can.

    Args:
        kinds: of the recipients, in the header's order; one that is not known here stands with its name.
        post_quantum: whether all of them are hybrid.
        header_bytes: of the age header.
        index_bytes: of the index's text.
        segment_bytes: of FLOE.
    """

    path: Path
    kinds: tuple[str, ...]
    post_quantum: bool
    size_bytes: int
    header_bytes: int
    index_bytes: int
    segment_bytes: int


@dataclass(frozen=True)
class Inside:
    """What a reader can see besides, verified.

    Args:
        fingerprints: of the recipients in the order of ``Outside.kinds``, in hex; None where the file does not
            say.
        files: names and sizes of the package's files besides the weights.
        tensors: in their order.
    """

    fingerprints: tuple[str, ...] | None
    files: tuple[tuple[str, int], ...]
    tensors: tuple[TensorEntry, ...]


def inspect(path: str | Path) -> Outside:
    """Look at a sealed file without a key.

    Raises:
        DataError: there is no such file.
        IntegrityError: no sealed model, or one that was cut short.
    """
    with SealedFile(path) as file:
        return _outside(file)


def look_inside(path: str | Path, identities: Iterable[age.Identity]) -> tuple[Outside, Inside]:
    """Look at the index too; the tensors are not read.

    Raises:
        NoIdentityMatched, IntegrityError: as ``check``.
    """
    with SealedFile(path) as file, Unlocked(file, identities) as unlocked:
        with file.distrusted():
            prints = lists.fingerprints(file.header, unlocked.key)
        return _outside(file), Inside(
            fingerprints=None if prints is None else tuple(one.hex() for one in prints),
            files=tuple((one.name, one.size) for one in unlocked.index.files),
            tensors=unlocked.index.weights.tensors,
        )


def _outside(file: SealedFile) -> Outside:
    kinds = tuple(one.kind for one in lists.others(file.header))
    return Outside(
        path=file.path,
        kinds=kinds,
        post_quantum=set(kinds) == {hybrid.KIND},
        size_bytes=file.size_bytes,
        header_bytes=file.header.size,
        index_bytes=file.preamble.index_bytes,
        segment_bytes=file.preamble.segment_bytes,
    )
