"""Which files a folder holds, in an order that is the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from hauberk.core.errors import DataError


def files_of(source: Path, skip: Sequence[str] = ()) -> list[tuple[Path, PurePosixPath]]:
    """``(path, path within the source)`` of a file, or of all files in a folder and below, sorted.

    Args:
        skip: patterns of paths within the folder that are left out, such as ``*.png``.

    Raises:
        DataError: nothing there, an empty folder, or something that is neither file nor folder: a link may
            lead out of the folder.
    """
    if not source.exists():
        raise DataError(f"no file or folder at {source}", path=str(source))
    if not source.is_dir():
        if not source.is_file():
            raise DataError(
                f"{source} is neither file nor folder", hint="write it to a file first: it is read twice"
            )
        return [(source, PurePosixPath(source.name))]
    found = []
    for path in sorted(source.rglob("*"), key=lambda one: one.relative_to(source).as_posix()):
        inner = PurePosixPath(path.relative_to(source).as_posix())
        if any(fnmatch(str(inner), pattern) or fnmatch(inner.name, pattern) for pattern in skip):
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise DataError(f"{path} is neither file nor folder", hint=f"leave it out: --skip '{inner}'")
        if path.is_file():
            found.append((path, inner))
    if not found:
        raise DataError(f"{source} holds no files")
    return found
