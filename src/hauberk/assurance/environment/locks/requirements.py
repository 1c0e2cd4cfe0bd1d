"""``requirements.txt`` and what ``pip freeze`` prints: one requirement a line, with options and hashes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from hauberk.assurance.environment.packages import Package, named
from hauberk.core.errors import DataError
from hauberk.core.files import read_bytes

_HASH = re.compile(r"--hash[= ](\w+):([0-9A-Fa-f]+)")
_INCLUDES = re.compile(r"(?:-r|-c|--requirement|--constraint)[= ]?\s*(\S+)")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_DEEPEST = 20  # files that include each other


def read(path: Path) -> list[Package]:
    """The packages of a file and of those that it includes.

    Raises:
        DataError: a line that is no requirement; the message names it.
    """
    return list(_packages(path, 0, set()))


def _packages(path: Path, depth: int, seen: set[Path]) -> Iterator[Package]:
    if depth > _DEEPEST:
        raise DataError(f"{path}: more than {_DEEPEST} files include each other")
    if path.resolve() in seen:
        return
    seen.add(path.resolve())
    for number, line in _lines(path):
        included = _INCLUDES.fullmatch(line)
        if included:
            if "://" in included[1]:
                raise DataError(f"{path}:{number}: a list that lies elsewhere cannot be read: {included[1]}")
            yield from _packages(path.parent / included[1], depth + 1, seen)
        elif not line.startswith("-") or line.startswith(("-e ", "--editable")):
            package = _package(line, path, number)
            if package is not None:
                yield package


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first; a backslash at the end goes on in the next."""
    try:
        text = read_bytes(path, what="list of requirements").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not text in UTF-8") from None
    start, held = 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", raw).rstrip()
        start = start or number
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        whole = (held + line).strip()
        if whole:
            yield start, whole
        start, held = 0, ""
    if held.strip():
        yield start, held.strip()


def _package(line: str, path: Path, number: int) -> Package | None:
    hashes = tuple(value.lower() for kind, value in _HASH.findall(line) if kind.lower() == "sha256")
    text = re.split(r"\s--", line, maxsplit=1)[0].strip()
    editable = re.match(r"(?:-e|--editable)[= ]\s*(.*)", text)
    if editable or re.match(r"(?:\.{0,2}/|[a-z+]+://|\.$)", text):
        return _unnamed(editable[1] if editable else text, path, number)
    try:
        asked = Requirement(text)
    except InvalidRequirement:
        raise DataError(f"{path}:{number}: '{text}' is no requirement") from None
    return named(asked.name, _exact(asked), str(path), line=number, asked=_wanted(asked), hashes=hashes)


def _unnamed(text: str, path: Path, number: int) -> Package | None:
    """A folder or an address: its name where it says so (``#egg=name``), else it is the repository's own."""
    egg = re.search(r"[#&]egg=([A-Za-z0-9._-]+)", text)
    if egg is None:
        return None
    return named(egg[1], "", str(path), line=number, asked=text)


def _exact(asked: Requirement) -> str:
    """The version, where one alone is meant."""
    exact = [
        one.version
        for one in asked.specifier
        if one.operator in ("==", "===") and not one.version.endswith(".*")
    ]
    return exact[0] if exact else ""


def _wanted(asked: Requirement) -> str:
    if asked.url:
        return f"@ {asked.url}"
    return "" if _exact(asked) else str(asked.specifier) or "any version"


def of_text(text: str, source: str, *, line: int = 0) -> Package:
    """One requirement that stands in another file.

    Raises:
        DataError: it is none.
    """
    try:
        asked = Requirement(text)
    except InvalidRequirement:
        raise DataError(f"{source}: '{text}' is no requirement") from None
    return named(asked.name, _exact(asked), source, line=line, asked=_wanted(asked))
