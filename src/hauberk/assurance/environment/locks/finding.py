"""Which files of a folder name packages, and who reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from hauberk.assurance.environment.locks import project, requirements, tables
from hauberk.assurance.environment.packages import Package
from hauberk.core.errors import DataError

# installed or made from elsewhere: not what this repository says
SKIPPED = frozenset(
    {
        ".git",
        ".hg",
        ".venv",
        "venv",
        ".tox",
        ".nox",
        "node_modules",
        "__pycache__",
        "site-packages",
        "build",
        "dist",
    }
)
_TEXT = re.compile(r"(?:.*[-_.])?(?:requirements|constraints|freeze)(?:[-_.].*)?\.(?:txt|in)")
_READERS: dict[str, Callable[[Path], list[Package]]] = {
    "poetry.lock": tables.poetry,
    "uv.lock": tables.uv,
    "pdm.lock": tables.poetry,  # the same table
    "Pipfile.lock": tables.pipfile,
    "pyproject.toml": project.read,
}


def read_lock(path: str | Path) -> list[Package]:
    """The packages that a file names, in its order.

    Takes ``requirements*.txt`` and what ``pip freeze`` prints, ``pyproject.toml``, ``poetry.lock``,
    ``uv.lock``, ``pdm.lock``, ``Pipfile.lock`` and ``pylock.toml``.

    Raises:
        DataError: no such file, or a file that is not what its name says.
    """
    path = Path(path)
    return _reader(path)(path)


def is_lock(path: Path) -> bool:
    """Whether a file of this name says what is installed."""
    return path.name in _READERS or _is_pylock(path) or _TEXT.fullmatch(path.name) is not None


def lock_files(folder: Path) -> list[Path]:
    """All such files in a folder and below, sorted; links and folders of installed packages are not entered."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if one not in SKIPPED)
        found += [path for name in names if is_lock(path := Path(where, name)) and not path.is_symlink()]
    return sorted(found)


def _is_pylock(path: Path) -> bool:
    return re.fullmatch(r"pylock(?:\.[^.]+)?\.toml", path.name) is not None


def _reader(path: Path) -> Callable[[Path], list[Package]]:
    if path.name in _READERS:
        return _READERS[path.name]
    if _is_pylock(path):
        return tables.pylock
    if path.suffix in (".txt", ".in"):
        return requirements.read
    raise DataError(
        f"{path} is no lock file that is known",
        hint="requirements.txt, pyproject.toml, poetry.lock, uv.lock, pdm.lock, Pipfile.lock or pylock.toml",
    )
