"""Which exercises somebody has done: a small file in the user's settings folder, written only when asked."""

from __future__ import annotations

import json
from pathlib import Path

from hauberk.core.errors import DataError
from hauberk.core.files import write_atomic
from hauberk.learn import EXERCISES

_FILE = "learnt.json"


def done(folder: Path) -> frozenset[str]:
    """The exercises that ``keep`` has written down; none where there is no file.

    Raises:
        DataError: the file is not one of ours.
    """
    path = folder / _FILE
    if not path.exists():
        return frozenset()
    try:
        names = json.loads(path.read_bytes())["done"]
        return frozenset(name for name in names if name in EXERCISES)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a record of exercises", hint=f"remove it: rm {path}") from error


def keep(folder: Path, name: str) -> Path:
    """Write down that an exercise was done."""
    names = sorted(done(folder) | {name})
    return write_atomic(folder / _FILE, json.dumps({"done": names}).encode() + b"\n", mode=0o600)
