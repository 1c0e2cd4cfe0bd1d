"""Style, script and mark, under addresses that change with their content: a browser keeps them for a year."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

PLACE = "/console/static/"
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@cache
def content(name: str) -> bytes:
    """One file's bytes; the style has the charts' style of the reports before it."""
    data = files("hauberk.serving.console").joinpath("static", name).read_bytes()
    if name == "console.css":
        return files("hauberk.reports").joinpath("templates", "chart.css").read_bytes() + b"\n" + data
    return data


@cache
def names() -> frozenset[str]:
    """What there is."""
    folder = files("hauberk.serving.console").joinpath("static")
    return frozenset(one.name for one in folder.iterdir() if one.name.endswith(tuple(_KINDS)))


@cache
def address(name: str) -> str:
    """Where a page finds a file."""
    stem, dot, kind = name.rpartition(".")
    return f"{PLACE}{stem}.{hashlib.sha256(content(name)).hexdigest()[:16]}{dot}{kind}"


@cache
def served() -> dict[str, tuple[str, bytes]]:
    """Kind and bytes of each file, by its address."""
    return {address(one): (_KINDS[one[one.rindex(".") :]], content(one)) for one in names()}
