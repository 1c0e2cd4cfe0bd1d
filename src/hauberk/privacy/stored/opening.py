"""Opening sealed data: check it, or write it out again; what is written was verified to the last byte first."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.errors import ConfigError
from hauberk.core.files import directory_aside, file_aside, machine_errors
from hauberk.crypto import age
from hauberk.privacy.stored.folder import MARK_BYTES, entries, is_folder
from hauberk.privacy.stored.reading import SealedReader


@dataclass(frozen=True)
class Opened:
    """What a sealed file held; all of it has been verified.

    Args:
        folder: whether it is one; else a single file.
        size_bytes: of all files together.
        path: where they were written, or None where the file was only checked.
    """

    folder: bool
    files: int
    size_bytes: int
    path: Path | None


def holds_folder(reader: SealedReader) -> bool:
    """Whether it opens as a folder."""
    return is_folder(reader.read(0, min(MARK_BYTES, reader.size)))


def check(path: str | Path, identities: Iterable[age.Identity]) -> Opened:
    """Decrypt everything, keep nothing, and say what it is.

    Raises:
        DataError: there is no such file.
        NoIdentityMatched: it is sealed for others.
        IntegrityError: it is not what was sealed.
    """
    with SealedReader(path, identities) as reader:
        if not holds_folder(reader):
            return Opened(False, 1, sum(len(piece) for piece in reader.pour()), None)
        return _walk(reader, None)


def open_to(
    path: str | Path, identities: Iterable[age.Identity], out: str | Path, *, overwrite: bool = False
) -> Opened:
    """Write what was sealed: a file, or a folder; it appears when all of it has been verified.

    Args:
        overwrite: replace a file that is already there. A folder is never replaced.

    Raises:
        ConfigError: something is at ``out`` already.
        EnvironmentFailure: the disk is full or not writable; nothing is left behind.
        DataError, NoIdentityMatched, IntegrityError: as ``check``.

    Limits: what is written is no longer protected.
    """
    out = Path(out)
    with SealedReader(path, identities) as reader:
        folder = holds_folder(reader)
        if out.is_symlink() or out.is_dir() or (out.exists() and (folder or not overwrite)):
            hint = "choose another --out" + ("" if folder or out.is_dir() else ", or add --force")
            raise ConfigError(f"{out} exists already", hint=hint)
        if folder:
            with directory_aside(out) as aside:
                found = _walk(reader, aside)
            return Opened(True, found.files, found.size_bytes, out)
        with file_aside(out) as descriptor:
            for piece in reader.pour():
                _write(descriptor, piece, out)
        return Opened(False, 1, reader.size, out)


def _walk(reader: SealedReader, folder: Path | None) -> Opened:
    count = total = 0
    with reader.distrusted():
        for entry in entries(reader.stream()):
            if entry.folder:
                if folder is not None:
                    (folder / entry.name).mkdir(parents=True, exist_ok=True)
                continue
            count, total = count + 1, total + entry.size
            descriptor = -1 if folder is None else _new(folder / entry.name)
            try:
                for piece in reader.pour(entry.at, entry.size):
                    if descriptor >= 0:
                        _write(descriptor, piece, reader.path)
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
    return Opened(True, count, total, None)


def _new(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)


def _write(descriptor: int, data: bytes | memoryview, path: Path) -> None:
    view = memoryview(data)
    with machine_errors("write", path):
        while len(view):
            view = view[os.write(descriptor, view) :]
