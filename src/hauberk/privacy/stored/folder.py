"""A folder as a tar archive that any tar unpacks, with names and bytes in it and nothing else.

Its first block is a global header whose comment says what it is, so that a sealed folder is told apart from a
sealed file that happens to be an archive. Owners, times and modes are left out: they tell about people too.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.core.files import machine_errors

MARK = "hauberk-folder/1"
MARK_BYTES = 1024

_RECORD = f"28 comment={MARK}\n".encode()
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """A file or folder inside; ``at`` is where a file's bytes start in the archive."""

    name: str
    size: int
    folder: bool = False
    at: int = 0


def is_folder(head: bytes) -> bool:
    """Whether a text that begins with ``head`` is a folder."""
    return head[156:157] == b"g" and head[257:262] == b"ustar" and head[512:].startswith(_RECORD)


def check_name(name: str) -> str:
    """A name inside a sealed folder: relative, parted by ``/``, and leading nowhere else.

    Raises:
        DataError: it does not.
    """
    parts = PurePosixPath(name).parts
    clean = bool(parts) and "/".join(parts) == name and not name.startswith("/") and ".." not in parts
    if not clean or "\\" in name or any(ord(char) < 32 or 0xD800 <= ord(char) < 0xE000 for char in name):
        raise DataError(f"a name that leads out of the folder or that cannot be written as text: {name!r}")
    return name


def pack(sources: Sequence[Path], writer: Any) -> int:
    """Write the archive of one folder's content, or of several files and folders by their names.

    Args:
        writer: takes bytes by ``write``.

    Returns:
        How many files went in.

    Raises:
        DataError: something that is neither file nor folder; links are not followed. Or a file that changed.
        ConfigError: two of the sources have the same name.
    """
    names = [one.name for one in sources]
    if len(set(names)) != len(names) or "" in names:
        raise ConfigError("two of what is to be sealed have the same name, or one has none")
    count = 0
    with tarfile.open(
        fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT, pax_headers={"comment": MARK}, bufsize=_BLOCK
    ) as archive:
        for source in sources:
            base = "" if len(sources) == 1 and source.is_dir() else source.name
            count += _add(archive, source, base)
    return count


def _add(archive: tarfile.TarFile, source: Path, base: str) -> int:
    if not source.is_dir() or source.is_symlink():
        _add_file(archive, source, check_name(base), None, source.name)
        return 1
    count = 0
    with machine_errors("read", source):
        for folder, folders, files, descriptor in os.fwalk(source, onerror=_raise):
            folders.sort()
            inside = PurePosixPath(base, *Path(folder).relative_to(source).parts)
            if str(inside) != ".":
                _add_folder(archive, check_name(str(inside)))
            for name in folders:  # a link to a folder stands among the folders
                if stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                    raise _no_file(Path(folder, name))
            for name in sorted(files):
                _add_file(archive, Path(folder, name), check_name(str(inside / name)), descriptor, name)
                count += 1
    return count


def _raise(error: OSError) -> None:
    raise error


def _add_folder(archive: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    archive.addfile(entry)


def _add_file(archive: tarfile.TarFile, path: Path, name: str, folder: int | None, own: str) -> None:
    descriptor = open_ordinary(path, folder=folder, name=own)
    with os.fdopen(descriptor, "rb") as file, machine_errors("read", path):
        before = os.fstat(descriptor)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = before.st_size, 0o644
        try:
            archive.addfile(entry, file)
        except OSError as error:
            if "unexpected end of data" in str(error):
                raise changed(path) from None
            raise
        check_unchanged(path, before, descriptor)


def open_ordinary(path: Path, *, folder: int | None = None, name: str | None = None) -> int:
    """A descriptor of an ordinary file, in the folder that is open as ``folder``; links are not followed.

    Raises:
        DataError: there is none, or it is something else.
    """
    place = str(path) if folder is None else str(name)
    with machine_errors("read", path):
        try:
            descriptor = os.open(
                place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
            )
        except FileNotFoundError:
            raise DataError(f"no file or folder at {path}") from None
        except OSError:
            if path.is_symlink():
                raise _no_file(path) from None
            raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(path)
    return descriptor


def check_unchanged(path: Path, before: os.stat_result, descriptor: int) -> None:
    """Raises ``DataError`` where the file was written to since."""
    after = os.fstat(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise changed(path)


def changed(path: Path) -> DataError:
    return DataError(f"{path} changed while it was sealed", hint="seal it when nothing writes to it")


def _no_file(path: Path) -> DataError:
    return DataError(
        f"{path} is a link, a pipe or a device: only files and folders are sealed",
        hint="put a copy in its place, or leave it out",
    )


def entries(stream: Any) -> Iterator[Entry]:
    """What an archive holds, in order.

    Raises:
        IntegrityError: links, devices, names that lead out or stand twice, or what no archive of ours holds.
    """
    files: set[str] = set()
    folders: set[str] = set()
    try:
        archive: Any
        with tarfile.open(fileobj=stream, mode="r:", bufsize=_BLOCK) as archive:
            for member in archive:
                archive.members.clear()  # else every header ever read is kept
                yield _entry(member, files, folders)
            stream.seek(archive.offset)
    except tarfile.TarError as error:
        raise IntegrityError(f"it holds no readable folder: {error}") from error
    while rest := stream.read(_BLOCK):
        if rest.strip(b"\0"):
            raise IntegrityError("something follows the folder's last file")


def _entry(member: tarfile.TarInfo, files: set[str], folders: set[str]) -> Entry:
    try:
        name = check_name(member.name)
    except DataError as error:
        raise IntegrityError(str(error)) from error
    if member.type not in (tarfile.REGTYPE, tarfile.DIRTYPE) or member.sparse is not None:
        raise IntegrityError(f"it holds something that is neither file nor folder: {name!r}")
    above = {str(parent) for parent in PurePosixPath(name).parents} - {"."}
    if name in files or name in folders - ({name} if member.isdir() else set()) or above & files:
        raise IntegrityError(f"it has two things in one place: {name!r}")
    folders |= above
    if member.isdir():
        folders.add(name)
        return Entry(name, 0, folder=True)
    files.add(name)
    return Entry(name, member.size, at=member.offset_data)
