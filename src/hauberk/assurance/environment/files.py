"""Keys that others may read, files of models that others may change, and secrets that stand in files.

What was found is never repeated: a finding has the file, the line and what kind of thing it is.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hauberk.assurance.environment.locks.finding import SKIPPED
from hauberk.privacy.text.detector import Detector
from hauberk.privacy.text.finding import Finding

_MOST_FILES = 20_000
_LONGEST = 2 << 20  # bytes of one file; what is longer is data, whose head alone is read
_SURE = 0.89  # a word for a secret, and something behind it that is no word
_CERTAIN = 0.99  # in the form that an issuer gives its secrets
_CODE = re.compile(r".*\.(?:pyi?|ipynb|m?js|[jt]sx?|go|rs|java|kt|[ch]|cc|cpp|cs|rb|php|sh|md|rst|txt|jinja)")
_KEY_NAMES = re.compile(
    r"(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.pypirc|\.env(?:\..+)?|.+\.(?:key|p12|pfx|keystore))"
)
_KEY_HEADS = re.compile(
    rb"\A(?:\s|#[^\n]*\n)*(?:-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----|AGE-SECRET-KEY-|PRIVATE\+KEY\+)"
)
_HEAD = 4096  # bytes that tell what a file is
_NONE = re.compile(r"(?i)example|placeholder|changeme|dummy|x{6}|<[^>]+>|\*{4}|your[-_ ]")
_ALLOWED = re.compile(r"pragma: ?allowlist secret|gitleaks:allow|noqa: ?S10[567]")  # as other finders read it
_QUOTES = "\"'`"


@dataclass(frozen=True, order=True)
class Exposed:
    """One file, or one line of it.

    Args:
        file: within the folder that was looked at.
        what: ``readable-key``, ``writable``, ``secret`` (its place is ``line``), ``link-out``.
        line: from 1; 0 for the whole file.
        mode: the file's, such as ``644``.
    """

    file: str
    what: Literal["readable-key", "writable", "secret", "link-out"]
    line: int = 0
    mode: str = ""


@dataclass(frozen=True)
class Files:
    """What a folder's files showed.

    Args:
        looked: how many files were looked at.
        exposed: what is wrong with them, sorted.
        beyond: files that nobody looked at, because there are too many or they cannot be read.
    """

    looked: int
    exposed: tuple[Exposed, ...]
    beyond: int = 0


def look_at_files(folder: str | Path, *, secrets: bool = True, most: int = _MOST_FILES) -> Files:
    """Look at all files of a folder and below.

    Args:
        secrets: read text files for keys and passwords; False where secrets are meant to lie, as in a vault.

    A key file is one of a usual name, or one that begins as such files do. Links that lead out of the folder
    are named, and none is followed. Of ``.git`` only ``config`` is read, where tokens are left behind.

    Limits: a secret that looks like a word is not found, nor one that stands in the history alone, nor one
        behind the first two MiB of a file.
    """
    folder = Path(folder)
    detector = Detector(types=frozenset({"SECRET"}))
    exposed: list[Exposed] = []
    looked = beyond = 0
    for path in _files(folder):
        if looked >= most:
            beyond += 1
            continue
        try:
            found = list(_exposed(path, folder, detector, secrets))
        except OSError:
            beyond += 1
            continue
        looked += 1
        exposed += found
    return Files(looked, tuple(sorted(exposed)), beyond)


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
        return
    for where, folders, names in os.walk(folder):
        if ".git" in folders and (Path(where) / ".git" / "config").is_file():
            yield Path(where) / ".git" / "config"
        folders[:] = sorted(one for one in folders if one not in SKIPPED)
        links = [one for one in folders if Path(where, one).is_symlink()]
        yield from (Path(where, one) for one in sorted([*names, *links]))


def _exposed(path: Path, folder: Path, detector: Detector, secrets: bool) -> Iterator[Exposed]:
    inner = path.relative_to(folder).as_posix() if path != folder else path.name
    facts = os.lstat(path)
    mode = f"{stat.S_IMODE(facts.st_mode):o}"
    if stat.S_ISLNK(facts.st_mode):
        if not path.resolve().is_relative_to(folder.resolve()):
            yield Exposed(inner, "link-out")
        return
    if not stat.S_ISREG(facts.st_mode):
        return
    if facts.st_mode & 0o022:
        yield Exposed(inner, "writable", mode=mode)
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        whole = head + (file.read(_LONGEST) if secrets and b"\0" not in head else b"")
    key = _KEY_NAMES.fullmatch(path.name) is not None or _KEY_HEADS.search(head) is not None
    if key and facts.st_mode & 0o077:
        yield Exposed(inner, "readable-key", mode=mode)
    if secrets and b"\0" not in head:
        yield from (Exposed(inner, "secret", line, mode) for line in _secret_lines(whole, path, detector))


def _secret_lines(data: bytes, path: Path, detector: Detector) -> list[int]:
    """Lines with a secret that does not say itself that it is an example, and that nobody allowed."""
    lines = data.decode("utf-8", errors="replace").splitlines()
    code = _CODE.fullmatch(path.name) is not None
    return [
        number
        for number, (line, found) in enumerate(zip(lines, detector.find_all(lines), strict=True), 1)
        if any(_counts(line, one, code) for one in found) and not _ALLOWED.search(line)
    ]


def _counts(line: str, one: Finding, code: bool) -> bool:
    """In a program ``token = parse(text)`` names a variable: only what stands in quotes is a value."""
    if one.score < _SURE or _NONE.search(one.of(line)):
        return False
    quoted = line[one.start - 1 : one.start] in _QUOTES and line[one.end : one.end + 1] in _QUOTES
    return one.score >= _CERTAIN or not code or (quoted and one.start > 0 and one.end < len(line))
