"""Files that are whole or not there: write aside, fsync, rename; and bytes that are read or written whole."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hauberk.core.errors import ConfigError, DataError, EnvironmentFailure, HauberkError, IntegrityError


@contextmanager
def machine_errors(action: str, path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into one clear line."""
    try:
        yield
    except OSError as error:
        if isinstance(error, HauberkError):  # said already, and AccessDenied is an OSError too
            raise
        hints = {
            errno.ENOSPC: "free some space or choose another folder; nothing was left behind",
            errno.EDQUOT: "free some space or choose another folder; nothing was left behind",
            errno.EACCES: "choose a folder you may write to",
            errno.EROFS: "choose a folder you may write to",
        }
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise EnvironmentFailure(
            f"could not {action} {path}: {reason}", hint=hints.get(error.errno or 0)
        ) from error


def _fsync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: str | Path, data: bytes, *, mode: int = 0o644) -> Path:
    """Write ``data`` so that ``path`` holds either its old content or all of the new.

    Raises:
        EnvironmentFailure: the disk is full or the folder cannot be written; nothing is left behind.
    """
    with file_aside(path, mode=mode) as handle, os.fdopen(handle, "wb", closefd=False) as file:
        file.write(data)
    return Path(path)


@contextmanager
def file_aside(path: str | Path, *, mode: int = 0o644) -> Iterator[int]:
    """Give a descriptor to write to; when the block ends without error the file takes the place of ``path``.

    Raises:
        EnvironmentFailure: the disk is full or the folder cannot be written; nothing is left behind.
    """
    path = Path(path)
    with machine_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            try:
                yield handle
                os.fsync(handle)
            finally:
                os.close(handle)
            os.chmod(aside, mode)  # mkstemp makes 0600; ordinary results are readable
            os.replace(aside, path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
        _fsync_directory(path.parent)


@contextmanager
def directory_aside(path: str | Path) -> Iterator[Path]:
    """Give a folder to fill; when the block ends without error it takes the place of ``path``.

    An old folder at ``path`` stays untouched until the new one is complete and on disk, and comes back if the
    last step fails.
    """
    path = Path(path)
    old: Path | None = None
    with machine_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        with machine_errors("write", path):
            yield aside
            for file in aside.rglob("*"):
                if file.is_file():
                    with open(file, "rb") as opened:
                        os.fsync(opened.fileno())
                elif file.is_dir():
                    _fsync_directory(file)
            _fsync_directory(aside)
            os.chmod(aside, 0o755)  # noqa: S103 (mkdtemp makes 0700; results are readable)
            if path.exists():
                old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".old"))
                os.replace(path, old / "was")
            os.replace(aside, path)
            _fsync_directory(path.parent)
            if old is not None:
                shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        if old is not None:
            if (old / "was").exists() and not path.exists():
                os.replace(old / "was", path)
            shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)
        raise


def read_bytes(path: str | Path, *, what: str) -> bytes:
    """Read a whole file, or say plainly which ``what`` is missing where."""
    path = Path(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"no {what} at {path}", path=str(path)) from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, not a {what}", path=str(path)) from None
    except OSError as error:
        raise EnvironmentFailure(f"could not read {what} {path}: {error.strerror}") from error


def read_exactly(descriptor: int, at: int, out: memoryview, where: Path) -> None:
    """Fill ``out`` from a file.

    Raises:
        IntegrityError: the file ends before.
        EnvironmentFailure: the machine cannot read it.
    """
    done = 0
    with machine_errors("read", where):
        while done < len(out):
            count = os.preadv(descriptor, [out[done:]], at + done)
            if count == 0:
                raise IntegrityError(f"{where} ends too early: it was cut short")
            done += count


def write_exactly(descriptor: int, at: int, data: bytes | memoryview) -> None:
    """Write all of ``data`` into a file at a place."""
    view = memoryview(data)
    while len(view):
        count = os.pwrite(descriptor, view, at)
        view, at = view[count:], at + count


def refuse_overwrite(path: str | Path, *, force: bool) -> None:
    """Outputs are not replaced by accident."""
    if not force and Path(path).exists():
        raise ConfigError(f"{path} exists already", hint="choose another --out, or add --force")


def settings_folder() -> Path:
    """``$HAUBERK_CONFIG``, else the user's settings folder."""
    explicit = os.environ.get("HAUBERK_CONFIG")
    if explicit:
        return Path(explicit)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "hauberk"
