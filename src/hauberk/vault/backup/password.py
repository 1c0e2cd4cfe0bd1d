"""The password of a repository: in a file of its owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from hauberk.core.errors import ConfigError, DataError
from hauberk.core.files import read_bytes, write_atomic

_BYTES = 32


def new_password(path: Path) -> None:
    """Write a password of 32 random bytes, mode 600.

    Raises:
        ConfigError: something is there; a password is never replaced, since all that it opens would be lost.
    """
    if path.exists():
        raise ConfigError(f"{path} exists already", hint="a password that opens a backup is not replaced")
    write_atomic(path, f"{secrets.token_urlsafe(_BYTES)}\n".encode(), mode=0o600)


def check_password_file(path: Path) -> None:
    """Go on only with a file that holds a password which nobody else may read.

    Raises:
        ConfigError: others may read it.
        DataError: no such file, or nothing in it.
    """
    if not path.exists():
        raise DataError(f"no password file at {path}", hint="the first time: hauberk backup --init makes one")
    lines = read_bytes(path, what="password file").splitlines()
    if not lines or not lines[0].strip():
        raise DataError(f"{path} holds no password in its first line")
    mode = os.stat(path).st_mode & 0o777
    if mode & 0o077:
        raise ConfigError(f"{path}: others may read this password (mode {mode:o})", hint=f"chmod 600 {path}")
