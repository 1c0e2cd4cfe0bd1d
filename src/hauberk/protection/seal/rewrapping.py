"""Who may read, changed afterwards.

``rewrap`` writes a new header before the same body: quick, and enough to add somebody. Removing somebody so
keeps him from opening this file; a copy that he has, and the file key if he kept it, still open what he could
read before. ``reseal`` encrypts everything anew under a new key, which matters for whatever he has not yet
copied: neither takes back what was read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.core.files import file_aside, write_exactly
from hauberk.crypto import age
from hauberk.crypto.age import header as age_header
from hauberk.crypto.age.passphrase import KIND as PASSPHRASE
from hauberk.crypto.age.readers import Reader
from hauberk.crypto.age.wrapping import check_kinds, check_recipients
from hauberk.crypto.secret import Random
from hauberk.protection.seal import recipients as lists
from hauberk.protection.seal.container import SealedFile, Unlocked
from hauberk.protection.seal.layout import Piece
from hauberk.protection.seal.opening import manifest_of
from hauberk.protection.seal.sealing import Content, check_settings, write, write_header

_COPY_BYTES = 4 << 20


@dataclass(frozen=True)
class Rewrapped:
    """Who can open the file now.

    Args:
        readers: in the header's order; ``fingerprint`` is None where the file does not say.
        new_key: whether the body was encrypted anew.
        model, package, last_evidence: as in ``Sealed``.
    """

    path: Path
    size_bytes: int
    readers: tuple[Reader, ...]
    new_key: bool
    model: str
    package: str
    last_evidence: str | None


def rewrap(
    path: str | Path,
    identities: Iterable[age.Identity],
    *,
    add: Sequence[age.Recipient] = (),
    remove: Sequence[age.Recipient] = (),
    mixed: bool = False,
    random: Random = os.urandom,
) -> Rewrapped:
    """Add and remove recipients; the body stays as it is, byte for byte.

    Raises:
        ConfigError: nothing to do, somebody who is there already or is not, or nobody left.
        NoIdentityMatched, IntegrityError: as ``check``; header and index are verified, the tensors are not.
        EnvironmentFailure: the disk is full or not writable; the file is as it was.

    Limits: removing takes back nothing. Who could open the file may have kept its contents or its key.
    """
    if not add and not remove:
        raise ConfigError("nothing to do: name somebody to add or to remove")
    with SealedFile(path) as file, Unlocked(file, identities) as unlocked:
        manifest, _files = manifest_of(unlocked)
        with file.distrusted():
            known = lists.fingerprints(file.header, unlocked.key)
        stanzas = lists.others(file.header)
        prints: list[bytes | None] = [*known] if known is not None else [None] * len(stanzas)
        for one in remove:
            place = _place(prints, known, one)
            del stanzas[place], prints[place]
        for one in add:
            if age.fingerprint(one) in prints:
                raise ConfigError("somebody to add can open the file already")
            stanzas.append(one.wrap(unlocked.key, random=random))
            prints.append(age.fingerprint(one))
        if not stanzas:
            raise ConfigError("nobody could open it any more", hint="delete the file instead, or add somebody")
        check_kinds([one.kind for one in stanzas], mixed=mixed)
        sure = [one for one in prints if one is not None]
        wrapped = list(stanzas)
        if known is not None and len(sure) == len(stanzas):
            wrapped.append(lists.listed(unlocked.key, sure, random=random))
        head = age_header.write(wrapped, unlocked.key)
        with file_aside(file.path) as descriptor:
            write_exactly(descriptor, 0, head)
            for at, data in _body(file):
                write_exactly(descriptor, len(head) + at, data)
        return Rewrapped(
            path=file.path,
            size_bytes=len(head) + file.preamble.body_bytes,
            readers=tuple(
                Reader(one.kind, print_.hex() if print_ is not None and one.kind != PASSPHRASE else None)
                for one, print_ in zip(stanzas, prints, strict=True)
            ),
            new_key=False,
            model=manifest.model,
            package=str(manifest.document["digest"]),
            last_evidence=manifest.last_evidence,
        )


def reseal(
    path: str | Path,
    identities: Iterable[age.Identity],
    recipients: Sequence[age.Recipient],
    *,
    mixed: bool = False,
    threads: int = 2,
    random: Random = os.urandom,
) -> Rewrapped:
    """Encrypt everything anew, under a new key, for exactly these recipients.

    They are all named by the caller: the list in the file could have been written by the one who is to go.

    Raises:
        As ``rewrap``; everything is verified before the file is replaced.

    Cost: opening and sealing once; memory for a few segments.
    """
    check_recipients(recipients, mixed=mixed)
    check_settings(1 << 20, threads)
    with SealedFile(path) as file, Unlocked(file, identities) as unlocked:
        manifest, files = manifest_of(unlocked)
        with (
            closing(unlocked.pour(unlocked.tensors, threads=threads)) as texts,
            age.new_file_key(random) as key,
        ):
            content = Content(files, unlocked.index.weights, _refill(texts))
            head = write_header(key, recipients, random)
            segment_bytes = file.preamble.segment_bytes  # as before, so that the portions fit
            size = write(file.path, head, key, content, _nothing, segment_bytes, threads, random)
        return Rewrapped(
            path=file.path,
            size_bytes=size,
            readers=tuple(Reader.of(one) for one in recipients),
            new_key=True,
            model=manifest.model,
            package=str(manifest.document["digest"]),
            last_evidence=manifest.last_evidence,
        )


def _place(prints: Sequence[bytes | None], known: Sequence[bytes] | None, one: age.Recipient) -> int:
    if known is None:
        raise ConfigError(
            "the file does not say which recipient is which, so nobody can be removed from it",
            hint="seal it anew for those who stay: --new-key with --add for each of them",
        )
    if age.fingerprint(one) not in prints:
        raise ConfigError("somebody to remove is not among the recipients")
    return list(prints).index(age.fingerprint(one))


def _body(file: SealedFile) -> Iterator[tuple[int, bytes]]:
    """The body in portions, each with its offset."""
    total = file.preamble.body_bytes
    for at in range(0, total, _COPY_BYTES):
        yield at, file.raw(file.header.size + at, min(_COPY_BYTES, total - at))


def _refill(texts: Iterator[tuple[Piece, memoryview]]) -> Callable[[list[Piece], memoryview], None]:
    """The tensors of an open file, portion by portion, in the same portions."""

    def fill(batch: list[Piece], out: memoryview) -> None:
        at = 0
        for piece in batch:
            found, text = next(texts)
            if found.size != piece.size:
                raise IntegrityError("the portions of an open file and of its new sealing differ")
            out[at : at + piece.size] = text
            at += piece.size

    return fill


def _nothing() -> None:
    """All that is read here has been verified."""
