"""Sealing data: files and folders in, one standard age file out, in one pass and with little memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.errors import ConfigError
from hauberk.core.files import file_aside, machine_errors, refuse_overwrite
from hauberk.crypto import age
from hauberk.crypto.age import header as age_header
from hauberk.crypto.age.payload import CHUNK_BYTES, NONCE_BYTES, TAG_BYTES, TEXT_BYTES, Payload
from hauberk.crypto.age.readers import Reader
from hauberk.crypto.age.wrapping import check_recipients
from hauberk.crypto.secret import Random
from hauberk.privacy.stored.folder import MARK_BYTES, check_unchanged, is_folder, open_ordinary, pack
from hauberk.privacy.stored.reading import RUN


@dataclass(frozen=True)
class SealedData:
    """What was sealed, and for whom; nothing in it is secret.

    Args:
        size_bytes: of the sealed file.
        files: how many went in.
        folder: whether it opens as a folder.
    """

    path: Path
    size_bytes: int
    readers: tuple[Reader, ...]
    files: int
    folder: bool


def seal(
    sources: Sequence[str | Path],
    out: str | Path,
    recipients: Sequence[age.Recipient],
    *,
    mixed: bool = False,
    overwrite: bool = False,
    random: Random = os.urandom,
) -> SealedData:
    """Seal files and folders for their recipients; the file appears whole or not at all.

    One file is sealed as it is. A folder, or several files and folders, become one tar archive first, without
    owners, times and modes.

    Args:
        mixed: allow hybrid and X25519 recipients in one file, which is then no safer than X25519.
        overwrite: replace a file at ``out``.
        random: where keys and nonces come from; a test's own source makes the same file again.

    Raises:
        ConfigError: recipients that do not belong together, nothing to seal, ``out`` exists.
        DataError: a source that is missing, is a link, pipe or device, or changes meanwhile.
        EnvironmentFailure: the disk is full or not writable; nothing is left behind.

    Cost: one pass; memory for two megabytes, whatever the size.

    Limits: the originals stay. Total size and the number of readers can be seen without a key. Sealing does not
    show who sealed: everybody who has the public key can.
    """
    paths = [Path(one) for one in sources]
    if not paths:
        raise ConfigError("nothing to seal: name a file or a folder")
    refuse_overwrite(out, force=overwrite)
    check_recipients(recipients, mixed=mixed)
    if any(Path(out).resolve().is_relative_to(one.resolve()) for one in paths):
        raise ConfigError(f"{out} lies in what is to be sealed", hint="choose another --out")
    with age.new_file_key(random) as file_key, file_aside(out) as descriptor:
        head = age_header.write(age.wrap(file_key, recipients, random=random), file_key)
        nonce = random(NONCE_BYTES)
        writer = ChunkWriter(descriptor, Path(out), Payload(file_key, nonce))
        writer.plain(head + nonce)
        folder, files = _pour(paths, writer)
        writer.finish()
    readers = tuple(Reader.of(one) for one in recipients)
    return SealedData(Path(out), writer.size, readers, files, folder)


def _pour(paths: list[Path], writer: ChunkWriter) -> tuple[bool, int]:
    if len(paths) > 1 or (paths[0].is_dir() and not paths[0].is_symlink()):
        return True, pack(paths, writer)
    descriptor = open_ordinary(paths[0])
    with os.fdopen(descriptor, "rb", buffering=0) as file, machine_errors("read", paths[0]):
        before = os.fstat(descriptor)
        if is_folder(os.pread(descriptor, MARK_BYTES, 0)):  # else it would open as what it holds
            return True, pack(paths, writer)
        buffer = memoryview(bytearray(RUN * TEXT_BYTES))
        while count := file.readinto(buffer):
            writer.write(buffer[:count])
        check_unchanged(paths[0], before, descriptor)
    return False, 1


class ChunkWriter:
    """Takes bytes and writes chunks, a run of them at a time.

    The last chunk is another than the others, so a full run waits until more comes or ``finish`` is called.
    """

    def __init__(self, descriptor: int, path: Path, payload: Payload) -> None:
        self._descriptor, self._path, self._payload = descriptor, path, payload
        self._text = memoryview(bytearray(RUN * TEXT_BYTES))
        self._sealed = memoryview(bytearray(RUN * CHUNK_BYTES))
        self._held = self._position = 0
        self.size = 0

    def plain(self, data: bytes | memoryview) -> None:
        """Write bytes as they are."""
        view = memoryview(data)
        self.size += len(view)
        with machine_errors("write", self._path):
            while len(view):
                view = view[os.write(self._descriptor, view) :]

    def write(self, data: bytes | memoryview) -> int:
        """Take bytes."""
        view = memoryview(data)
        while len(view):
            if self._held == len(self._text):
                self._flush(last=False)
            count = min(len(view), len(self._text) - self._held)
            self._text[self._held : self._held + count] = view[:count]
            self._held += count
            view = view[count:]
        return len(data)

    def finish(self) -> None:
        """Write what is held; its last chunk is the file's."""
        self._flush(last=True)

    def _flush(self, *, last: bool) -> None:
        count = max(1, -(-self._held // TEXT_BYTES))
        for one in range(count):
            text = self._text[one * TEXT_BYTES : min(self._held, (one + 1) * TEXT_BYTES)]
            out = self._sealed[one * CHUNK_BYTES :][: len(text) + TAG_BYTES]
            self._payload.seal(self._position + one, text, out, last=last and one == count - 1)
        self.plain(self._sealed[: self._held + TAG_BYTES * count])
        self._position += count
        self._held = 0
