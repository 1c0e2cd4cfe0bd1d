"""Packed data, unpacked under a budget: gzip, bzip2, xz and zlib around one file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator

from hauberk.protection.scan.job import Job, Part
from hauberk.protection.scan.window import PIECE, Window

_SMALL = 1 << 20  # a megabyte does no harm, however well it was packed
_WINDOW_BITS = {"zlib": zlib.MAX_WBITS, "deflate": -zlib.MAX_WBITS}  # below 0: without header and checksum


class TooLarge(Exception):
    """It unpacks out of proportion."""


def bounded(pieces: Iterator[bytes], packed: int, job: Job, promised: int | None = None) -> Iterator[bytes]:
    """The same pieces, as long as they stay in proportion to what they came from.

    Raises:
        TooLarge: more than the ratio allows, than was promised, or than the budget holds.
    """
    most = max(_SMALL, job.limits.ratio * packed)
    got = 0
    for piece in pieces:
        got += len(piece)
        job.left -= len(piece)
        if got > most:
            raise TooLarge(f"it unpacks to more than {job.limits.ratio} times its size")
        if promised is not None and got > promised + PIECE * 4:
            raise TooLarge(f"it unpacks to more than the {promised} bytes it is said to have")
        if job.left < 0:
            raise TooLarge(f"more than {job.limits.unpacked_bytes} bytes were unpacked from this file")
        yield piece


def look(kind: str, part: Part, job: Job) -> str:
    """A packed file and what is in it."""
    try:
        source = Window.spool(bounded(unpacked(kind, part.source), part.source.size, job))
    except TooLarge as error:
        job.find("archive/bomb", part.where, str(error))
        return kind
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        job.find("archive/malformed", part.where, f"it cannot be unpacked: {error}")
        return kind
    name = part.name.rsplit(".", 1)[0] if part.name.endswith((".gz", ".bz2", ".xz", ".z")) else part.name
    try:
        job.inspect(part.inner(source, name), job)
    finally:
        source.close()
    return kind


def unpacked(kind: str, source: Window) -> Iterator[bytes]:
    """What is packed by ``gzip``, ``bzip2``, ``xz``, ``zlib``, or ``deflate`` as in a zip, piece by piece.

    Raises:
        EOFError, ValueError, OSError, zlib.error, lzma.LZMAError: it cannot be unpacked. Whether all of a
            ``deflate`` came is for the archive to say, which knows its size.
    """
    if kind in _WINDOW_BITS:
        unpacker = zlib.decompressobj(_WINDOW_BITS[kind])
        for piece in source.pieces():
            rest = piece
            while rest:
                yield unpacker.decompress(rest, PIECE * 4)
                rest = unpacker.unconsumed_tail
        yield unpacker.flush()
        if kind == "zlib" and not unpacker.eof:
            raise EOFError("it is cut short")
        return
    source.seek(0)
    opened = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}[kind]
    with opened(source) as file:  # type: ignore[operator]  # a window reads like a file
        while piece := file.read(PIECE):
            yield piece
