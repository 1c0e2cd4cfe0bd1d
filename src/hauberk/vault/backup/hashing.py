"""A repository's files, compared with their names.

Every file of a restic repository but ``config`` is named by its SHA-256, and ``restic check`` does not look at
all of them: the notes in key files are under no tag, and a pack that no index names is not read. Here every
byte counts.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from hauberk.core.errors import IntegrityError
from hauberk.core.files import machine_errors

_NAMED = ("data", "index", "keys", "snapshots")
_NAME = re.compile(r"[0-9a-f]{64}")


def check_names(folder: Path, where: str) -> int:
    """Hash every file of a repository in a folder, which messages call ``where``.

    Returns:
        How many there are.

    Raises:
        IntegrityError: one is not what its name says.
        EnvironmentFailure: one cannot be read.
    """
    found = 0
    for kind in _NAMED:
        for file in sorted((folder / kind).rglob("*")):
            if not _NAME.fullmatch(file.name):
                continue  # folders, and what an interrupted write has left
            with machine_errors("read", file), file.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            if digest != file.name:
                raise IntegrityError(
                    f"the backup in {where} is damaged: {kind}/{file.name[:16]}… is not what its name says",
                    hint="restore from another copy",
                )
            found += 1
    return found
