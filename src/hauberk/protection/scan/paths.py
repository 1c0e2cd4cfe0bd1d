"""Names of files that would leave the folder they belong to, as any system would read them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_DRIVE = re.compile(r"[A-Za-z]:")


def leaves_folder(name: str) -> bool:
    """Absolute, with ``..``, with a drive letter, or with a NUL that cuts it short."""
    plain = name.replace("\\", "/")
    return (
        plain.startswith("/")
        or ".." in PurePosixPath(plain).parts
        or _DRIVE.match(plain) is not None
        or "\0" in name
    )
