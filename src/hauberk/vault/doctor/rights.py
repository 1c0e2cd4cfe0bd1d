"""Who may read a vault's secrets, and who may put something else in their place."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from hauberk.vault.doctor.finding import Finding

_WHY_SECRET = "whoever reads it opens artifacts and secret columns, or signs for the ledger"  # noqa: S105
_WHY_FOLDER = "file rights are what makes somebody the owner, who may do everything"
_WHY_ABOVE = "whoever may rename a folder above puts another vault in its place"


def look(folder: Path, secrets: Sequence[Path], files: Sequence[Path]) -> Iterator[Finding]:
    """Rights of the vault's folder, of its secret keys, of other files of its, and of all folders above."""
    for one in secrets:
        yield _private(one, "key-rights", _WHY_SECRET, "fail")
    yield _private(folder, "folder-rights", _WHY_FOLDER, "warn")
    for one in files:
        if os.stat(folder).st_mode & 0o077 or not one.is_relative_to(folder):  # else nobody comes to it
            yield _private(one, "file-rights", _WHY_FOLDER, "warn")
    yield _above(folder)


def _private(path: Path, name: str, why: str, otherwise: str) -> Finding:
    facts = os.stat(path)
    mode = stat.S_IMODE(facts.st_mode)
    wanted = "700" if path.is_dir() else "600"
    if facts.st_uid not in (os.geteuid(), 0):
        owner = _name(facts.st_uid)
        return Finding("fail", name, str(path), f"belongs to {owner}", why, f"chown it, or work as {owner}")
    if mode & 0o022 or (mode & 0o077 and otherwise == "fail"):
        return Finding("fail", name, str(path), f"mode {mode:o}", why, f"chmod {wanted} {path}")
    if mode & 0o077:
        return Finding("warn", name, str(path), f"mode {mode:o}", why, f"chmod {wanted} {path}")
    return Finding("ok", name, str(path), f"mode {mode:o}", why)


def _above(folder: Path) -> Finding:
    for one in folder.resolve().parents:
        facts = os.stat(one)
        sticky = facts.st_mode & stat.S_ISVTX  # only a file's owner renames it there
        if facts.st_mode & 0o022 and not sticky:
            return Finding(
                "fail", "path-rights", str(one),
                f"others may write there (mode {stat.S_IMODE(facts.st_mode):o})",
                _WHY_ABOVE, f"chmod go-w {one}, or move the vault",
            )  # fmt: skip
        if facts.st_uid not in (os.geteuid(), 0):
            found = f"belongs to {_name(facts.st_uid)}"
            return Finding("warn", "path-rights", str(one), found, _WHY_ABOVE, "move the vault")
    return Finding("ok", "path-rights", str(folder), "nobody else may write above it", _WHY_ABOVE)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
