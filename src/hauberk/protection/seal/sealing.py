"""Sealing: a package in, one encrypted file out, in one pass and with little memory."""

from __future__ import annotations

import errno
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from hauberk.core.errors import ConfigError
from hauberk.core.files import file_aside, refuse_overwrite, write_exactly
from hauberk.core.manifest import WEIGHTS
from hauberk.crypto import age
from hauberk.crypto.age import header as age_header
from hauberk.crypto.age.passphrase import KIND as PASSPHRASE
from hauberk.crypto.age.readers import Reader
from hauberk.crypto.age.wrapping import check_recipients
from hauberk.crypto.floe import HEADER_BYTES, Encryption
from hauberk.crypto.secret import Random, Secret
from hauberk.protection.seal import recipients as lists
from hauberk.protection.seal.index import FileEntry, Index
from hauberk.protection.seal.layout import (
    LARGEST_INDEX,
    LARGEST_SEGMENT,
    NONCE_BYTES,
    SEGMENT_BYTES,
    SMALLEST_SEGMENT,
    Piece,
    Preamble,
    batches,
    body_bytes,
    places,
    room,
    span,
)
from hauberk.protection.seal.package import opened
from hauberk.protection.seal.weights import WeightsHeader

THREADS = 2
Fill = Callable[[list[Piece], memoryview], None]
"""Puts the text of consecutive pieces into memory."""


@dataclass(frozen=True)
class Sealed:
    """What was sealed, and for whom; nothing in it is secret.

    Args:
        path: the sealed file.
        model: digest of the model.
        package: digest of the package.
        last_evidence: digest of the package's newest evidence, or None.
    """

    path: Path
    size_bytes: int
    readers: tuple[Reader, ...]
    tensors: int
    files: int
    segment_bytes: int
    model: str
    package: str
    last_evidence: str | None


@dataclass(frozen=True)
class Content:
    """What goes into a sealed file: the small files, the weights' header, and a way to read the tensors."""

    files: Mapping[str, bytes]
    header: WeightsHeader
    fill: Fill


def seal(
    package: str | Path,
    out: str | Path,
    recipients: Sequence[age.Recipient],
    *,
    mixed: bool = False,
    overwrite: bool = False,
    check_digests: bool = True,
    segment_bytes: int = SEGMENT_BYTES,
    threads: int = THREADS,
    random: Random = os.urandom,
) -> Sealed:
    """Seal a model package for its recipients; the file appears whole or not at all.

    Args:
        mixed: allow hybrid and X25519 recipients in one file, which is then no safer than X25519.
        overwrite: replace a file at ``out``.
        check_digests: compare the weights with their SHA-256 in the manifest while they are read.
        segment_bytes: of FLOE; each segment is checked alone when a part is read.
        random: where keys and nonces come from; a test's own source makes the same file again.

    Raises:
        ConfigError: recipients that do not belong together, ``out`` exists, settings out of range.
        DataError: no package, or one that leads out of itself.
        IntegrityError: the package was changed after it was written.
        EnvironmentFailure: the disk is full or not writable; nothing is left behind.

    Cost: one pass over the weights; memory for a few segments and the package's other files.

    Limits: who has an identity can copy what he reads. Sizes and number of the tensors can be seen without a
    key, and with them often the architecture. Sealing does not show who sealed: everybody who has the public
    key can. Sign too.
    """
    refuse_overwrite(out, force=overwrite)
    check_recipients(recipients, mixed=mixed)
    check_settings(segment_bytes, threads)
    with opened(Path(package)) as source:
        digest = hashlib.sha256(source.header.prefix) if check_digests else None
        at = 0

        def fill(batch: list[Piece], text: memoryview) -> None:
            nonlocal at
            source.fill(at, text)
            at += len(text)
            if digest is not None:
                digest.update(text)

        def finish() -> None:
            if digest is not None:
                size = len(source.header.prefix) + source.header.data_bytes
                source.manifest.check(WEIGHTS, size, digest.hexdigest())

        content = Content(source.files, source.header, fill)
        with age.new_file_key(random) as file_key:
            head = write_header(file_key, recipients, random)
            size = write(Path(out), head, file_key, content, finish, segment_bytes, threads, random)
        return Sealed(
            path=Path(out),
            size_bytes=size,
            readers=tuple(Reader.of(one) for one in recipients),
            tensors=len(source.header.tensors),
            files=len(source.files),
            segment_bytes=segment_bytes,
            model=source.manifest.model,
            package=str(source.manifest.document["digest"]),
            last_evidence=source.manifest.last_evidence,
        )


def check_settings(segment_bytes: int, threads: int) -> None:
    """Refuse settings out of range."""
    if type(segment_bytes) is not int or not SMALLEST_SEGMENT <= segment_bytes <= LARGEST_SEGMENT:
        raise ConfigError(f"segment_bytes is in [{SMALLEST_SEGMENT}, {LARGEST_SEGMENT}], got {segment_bytes!r}")
    if type(threads) is not int or not 1 <= threads <= 256:
        raise ConfigError(f"threads is in [1, 256], got {threads!r}")


def write_header(file_key: Secret, recipients: Sequence[age.Recipient], random: Random) -> bytes:
    """The age header for these recipients, with the list of them where it may have one."""
    stanzas = age.wrap(file_key, recipients, random=random)
    if recipients[0].kind != PASSPHRASE:  # a passphrase stands alone, and is its only reader
        stanzas.append(lists.listed(file_key, [age.fingerprint(one) for one in recipients], random=random))
    return age_header.write(stanzas, file_key)


def write(
    out: Path,
    head: bytes,
    file_key: Secret,
    content: Content,
    finish: Callable[[], None],
    segment_bytes: int,
    threads: int,
    random: Random = os.urandom,
) -> int:
    """Write header and body; ``finish`` is asked before the file takes its place. Returns its size."""
    index = Index(tuple(FileEntry(name, len(data)) for name, data in content.files.items()), content.header, ())
    count = len(index.files) + len(index.weights.tensors)
    index_bytes = len(replace(index, tags=(bytes(32),) * count).to_bytes())
    if index_bytes > LARGEST_INDEX:
        raise ConfigError(f"the index of this package has {index_bytes} bytes, at most {LARGEST_INDEX} fit")
    sizes = index.sizes(index_bytes)
    preamble = Preamble(random(NONCE_BYTES), segment_bytes, index_bytes, 0)
    preamble = replace(preamble, body_bytes=body_bytes(preamble.floe, sizes))
    messages = [_encryption(preamble, file_key, number, random) for number in range(count + 1)]
    text = replace(index, tags=tuple(one.tag for one in messages[1:])).to_bytes()
    where = places(preamble.floe, sizes)
    files = 1 + len(index.files)
    total = len(head) + preamble.body_bytes
    try:
        with file_aside(out) as descriptor:
            _check_space(descriptor, total)
            write_exactly(descriptor, 0, head + preamble.packed())
            writer = _Writer(descriptor, len(head), messages, threads)
            for place, data in zip(where[:files], [text, *content.files.values()], strict=True):
                writer.run(batches(preamble.floe, [place]), _from(data))
            writer.run(batches(preamble.floe, where[files:]), content.fill)
            finish()
    finally:
        for message in messages:
            message.wipe()
    return total


def _encryption(preamble: Preamble, file_key: Secret, number: int, random: Random) -> Encryption:
    with preamble.key(file_key, number) as key:
        return preamble.floe.encryption(key, preamble.bound(number), random=random)


def _check_space(descriptor: int, size: int) -> None:
    """So that a full disk is noticed before the work; space is not reserved, which would cost a second pass."""
    disk = os.fstatvfs(descriptor)
    if disk.f_bavail * disk.f_frsize < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _from(data: bytes) -> Fill:
    """Text that is in memory already."""

    def fill(batch: list[Piece], into: memoryview) -> None:
        into[:] = memoryview(data)[batch[0].start :][: len(into)]

    return fill


class _Writer:
    """Reads in order, encrypts and writes on several threads, with a ring of buffers between."""

    def __init__(self, descriptor: int, base: int, messages: Sequence[Encryption], threads: int) -> None:
        self._descriptor, self._base, self._messages, self._threads = descriptor, base, messages, threads

    def run(self, work: Iterable[list[Piece]], fill: Fill) -> None:
        ring: deque[tuple[bytearray, bytearray, Future[None]]] = deque()
        with ThreadPoolExecutor(self._threads) as pool:
            for batch in work:
                size = sum(piece.size for piece in batch)
                if len(ring) > self._threads:
                    text, sealed, earlier = ring.popleft()
                    earlier.result()
                else:
                    text, sealed = bytearray(), bytearray()
                start, end = span(batch)
                text, sealed = room(text, size), room(sealed, end - start)
                fill(batch, memoryview(text)[:size])
                ring.append((text, sealed, pool.submit(self._seal, batch, text, memoryview(sealed))))
            for _text, _sealed, last in ring:
                last.result()

    def _seal(self, batch: list[Piece], text: bytearray, sealed: memoryview) -> None:
        start, end = span(batch)
        held = 0
        for piece in batch:
            message = self._messages[piece.place.number]
            if piece.position == 0:
                sealed[piece.at - HEADER_BYTES - start : piece.at - start] = message.header
            source = memoryview(text)[held : held + piece.size]
            message.segment(
                piece.position, source, sealed[piece.at - start : piece.end - start], last=piece.last
            )
            held += piece.size
        write_exactly(self._descriptor, self._base + start, sealed[: end - start])
