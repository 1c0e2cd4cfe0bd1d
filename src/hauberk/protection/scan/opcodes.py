"""The instructions of a pickle, one after another, without running any and without reading long arguments.

``pickletools`` knows the instructions; its reader takes every argument into memory and every length at its
word, so the arguments are read here.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from typing import Any, Final

from hauberk.protection.scan.window import Window

LONGEST = 256  # bytes of a text that is kept: no module and no name is longer
_LONGEST_LINE = 1 << 16  # of the text instructions of protocol 0


class Opaque:
    """A value that is there but was not kept."""

    def __repr__(self) -> str:
        return "…"


OPAQUE: Final = Opaque()

_KNOWN = {one.code.encode("latin-1"): one for one in pickletools.opcodes}
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: (1, False),
    pickletools.TAKEN_FROM_ARGUMENT4: (4, True),
    pickletools.TAKEN_FROM_ARGUMENT4U: (4, False),
    pickletools.TAKEN_FROM_ARGUMENT8U: (8, False),
}
_TEXTS = {"unicodestring1": "utf-8", "unicodestring4": "utf-8", "unicodestring8": "utf-8",
          "string1": "ascii", "string4": "ascii"}  # fmt: skip


class Malformed(Exception):
    """The pickle breaks off here: its reader would stop, after it ran all that stands before."""


def instructions(source: Window) -> Iterator[tuple[int, str, Any]]:
    """``(place, name, argument)`` up to and with STOP.

    Raises:
        Malformed: an unknown instruction, or an argument that is not there.
    """
    while True:
        place = source.tell()
        code = source.read(1)
        if not code:
            raise Malformed("it ends without STOP")
        known = _KNOWN.get(code)
        if known is None:
            raise Malformed(f"byte 0x{code[0]:02x} is no instruction")
        yield place, known.name, _argument(source, known.arg)
        if known.name == "STOP":
            return


def _argument(source: Window, kind: Any) -> Any:
    if kind is None:
        return None
    if kind.n == pickletools.UP_TO_NEWLINE:
        return _lines(source, kind.name)
    if kind.n >= 0:
        raw = _exactly(source, kind.n)
        return OPAQUE if kind.name == "float8" else int.from_bytes(raw, "little", signed=kind.name == "int4")
    width, signed = _LENGTHS[kind.n]
    length = int.from_bytes(_exactly(source, width), "little", signed=signed)
    if not 0 <= length <= source.size - source.tell():
        raise Malformed(f"an argument of {length} bytes, where {source.size - source.tell()} are left")
    if length > LONGEST:
        source.seek(length, 1)
        return OPAQUE
    raw = source.read(length)
    if kind.name in ("long1", "long4"):
        return int.from_bytes(raw, "little", signed=True)
    return _text(raw, _TEXTS[kind.name]) if kind.name in _TEXTS else raw


def _exactly(source: Window, count: int) -> bytes:
    raw = source.read(count)
    if len(raw) < count:
        raise Malformed("it is cut short")
    return raw


def _text(raw: bytes, encoding: str) -> Any:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return OPAQUE


def _line(source: Window) -> bytes:
    line = source.line(_LONGEST_LINE)
    if line is None:
        raise Malformed("a line without end")
    return line


def _lines(source: Window, kind: str) -> Any:
    line = _line(source)
    if kind == "stringnl_noescape_pair":
        return _text(line, "utf-8"), _text(_line(source), "utf-8")
    if kind in ("decimalnl_short", "decimalnl_long"):
        try:
            return int(line.rstrip(b"L")) if len(line) <= LONGEST else OPAQUE
        except ValueError:
            raise Malformed(f"{line[:40]!r} is no number") from None
    if len(line) > LONGEST or b"\\" in line or kind == "floatnl":
        return OPAQUE  # escapes are not followed: a name written with them counts as hidden
    if kind == "stringnl":
        return _text(line.strip()[1:-1], "ascii")
    return _text(line, "utf-8")
