"""Zip archives, read twice: as the directory at their end lists them, and as the entries themselves say.

Readers of zip differ in which of the two they believe, and many tricks live in the difference. Entries are
unpacked piece by piece under a budget, and those that are stored as they are get looked at where they lie.
"""

from __future__ import annotations

import lzma
import re
import stat
import struct
import zlib
from dataclasses import dataclass

from hauberk.protection.scan.job import Job, Part
from hauberk.protection.scan.paths import leaves_folder
from hauberk.protection.scan.unpacking import TooLarge, bounded, unpacked
from hauberk.protection.scan.window import Window

_END, _END64, _LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_LISTED, _LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_FULL = 0xFFFFFFFF
_ENCRYPTED, _SIZES_FOLLOW = 1, 8  # bits of the flags
_METHODS = {8: "deflate", 12: "bzip2"}  # of packing; 0 is none


class _Broken(Exception):
    """The archive's structure cannot be followed."""


@dataclass(frozen=True)
class Entry:
    """One line of the directory.

    Args:
        header: where the entry itself begins; ``data`` where its bytes do, ``end`` where they end.
        mode: Unix mode bits, 0 where there are none.
    """

    name: str
    raw_name: bytes
    method: int
    flags: int
    packed: int
    unpacked: int
    header: int
    data: int
    mode: int

    @property
    def end(self) -> int:
        return self.data + self.packed


def directory_end(source: Window) -> int | None:
    """Where the directory's closing record stands, for a file that a zip reader would accept."""
    tail = min(source.size, 22 + 0xFFFF)
    data = source.at(source.size - tail, tail)
    place = data.rfind(_END)
    while place >= 0:
        if len(data) - place >= 22:
            count, size, offset, comment = struct.unpack("<HLLH", data[place + 10 : place + 22])
            end = source.size - tail + place
            # a large archive's further records, 76 bytes, stand in between
            starts = (end - size, end - 76 - size)
            listed = _FULL in (size, offset) or any(source.at(one, 4) == _LISTED for one in starts if one >= 0)
            if (listed or not count) and place + 22 + comment <= len(data):
                return end
        place = data.rfind(_END, 0, place)
    return None


def look(part: Part, job: Job) -> str:
    """An archive and all that is in it; its kind is ``zip`` or that of the model it holds."""
    try:
        entries, start = _entries(part.source, job, part.where)
    except _Broken as error:
        job.find("archive/malformed", part.where, f"not a whole archive: {error}")
        return "zip"
    if start > 0:
        message = f"{start} bytes stand before the archive"
        job.find("polyglot/two-kinds", part.where, message)
        job.inspect(part.inner(part.source.part(0, start), "what stands before"), job)
    _check_names(entries, part, job)
    _check_layout(entries, part, job)
    kind = _kind(entries)
    for entry in entries:
        _look_at(entry, kind, part, job)
    if kind in ("torch-script", "program"):
        from hauberk.protection.scan import programs

        programs.look(kind, {one.name for one in entries}, part, job)
    return kind


def _entries(source: Window, job: Job, where: str) -> tuple[list[Entry], int]:
    """The directory's lines, and how many bytes stand before the archive."""
    end = directory_end(source)
    if end is None:
        raise _Broken("its directory is missing")
    count, size, offset = struct.unpack("<HLL", source.at(end + 10, 10))
    close = end
    locator = source.at(end - 20, 20) if end >= 20 else b""
    if locator[:4] == _LOCATOR:
        place = struct.unpack("<Q", locator[8:16])[0]
        record = source.at(place, 56)
        if record[:4] != _END64 or len(record) < 56:
            close = end - 20 - 56
            record = source.at(close, 56)
            if record[:4] != _END64:
                raise _Broken("its large directory is not where it is said to be")
        else:
            close = place
        count, size, offset = struct.unpack("<QQQ", record[32:56])
    if size > close:
        raise _Broken("its directory is larger than the file")
    start = close - size - offset
    if start < 0:
        raise _Broken("its directory is not where it is said to be")
    if count > job.limits.entries:
        job.find("archive/bomb", where, f"{count} entries")
        raise _Broken("it has too many entries to follow")
    directory = source.part(close - size, size)
    found: list[Entry] = []
    while directory.tell() < size:
        if len(found) >= job.limits.entries:
            job.find("archive/bomb", where, f"more than {job.limits.entries} entries")
            break
        found.append(_listed(directory, source, start))
    if len(found) != count:
        job.find("archive/mismatch", where, f"its directory says {count} entries and lists {len(found)}")
    comment = struct.unpack("<H", source.at(end + 20, 2))[0]
    if end + 22 + comment < source.size:
        job.find("polyglot/two-kinds", where, f"{source.size - end - 22 - comment} bytes follow the archive")
    return found, start


def _listed(directory: Window, source: Window, start: int) -> Entry:
    fixed = directory.read(46)
    if len(fixed) < 46 or fixed[:4] != _LISTED:
        raise _Broken("its directory is damaged")
    (flags, method) = struct.unpack("<HH", fixed[8:12])
    packed, unpacked, name, extra, comment = struct.unpack("<LLHHH", fixed[20:34])
    attributes, header = struct.unpack("<LL", fixed[38:46])
    raw_name = directory.read(name)
    more = directory.read(extra)
    directory.read(comment)
    large = iter(_large(more))
    unpacked, packed, header = (next(large, one) if one == _FULL else one for one in (unpacked, packed, header))
    header += start
    local = source.at(header, 30)
    if len(local) < 30 or local[:4] != _LOCAL:
        raise _Broken(f"the entry {raw_name[:80]!r} is not where it is said to be")
    local_name, local_extra = struct.unpack("<HH", local[26:30])
    return Entry(
        name=_decoded(raw_name, flags),
        raw_name=raw_name,
        method=method,
        flags=flags,
        packed=packed,
        unpacked=unpacked,
        header=header,
        data=header + 30 + local_name + local_extra,
        mode=attributes >> 16 if fixed[5] == 3 else 0,  # made on Unix
    )


def _large(extra: bytes) -> list[int]:
    """The 64-bit numbers of an extra field."""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == 1:
            body = extra[4 : 4 + size]
            return [int.from_bytes(body[at : at + 8], "little") for at in range(0, len(body) - 7, 8)]
        extra = extra[4 + size :]
    return []


def _decoded(raw: bytes, flags: int) -> str:
    return raw.decode("utf-8", "backslashreplace") if flags & 0x800 else raw.decode("cp437")


def _check_names(entries: list[Entry], part: Part, job: Job) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        where = part.inner(part.source, entry.name).where
        if leaves_folder(entry.name) or b"\0" in entry.raw_name:
            job.find("archive/path", where, f"the entry is called {entry.name!r}")
        # torch's own reader does not tell capital letters from small ones
        key = entry.name.replace("\\", "/").casefold()
        if key in seen:
            job.find("archive/duplicate", where, f"there is another entry called {seen[key]!r}")
        seen[key] = entry.name
        if entry.mode and stat.S_IFMT(entry.mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            job.find("archive/link", where, "the entry is a link or a device")


def _check_layout(entries: list[Entry], part: Part, job: Job) -> None:
    """The entries themselves against the directory, and the bytes between them."""
    source, reached = part.source, None
    for entry in sorted(entries, key=lambda one: one.header):
        where = part.inner(source, entry.name).where
        if reached is not None and entry.header < reached:
            job.find("archive/overlap", where, "the entry shares bytes with another")
        elif reached is not None and entry.header > reached:
            between = source.at(reached, min(entry.header - reached, 1 << 20))
            if _LOCAL in between:
                job.find("archive/hidden-entry", where, "an entry stands before it that the directory lacks")
        reached = max(reached or 0, entry.end)
        difference = _difference(entry, source)
        if difference:
            job.find("archive/mismatch", where, f"the directory and the entry differ in {difference}")
        if entry.end > source.size:
            job.find("archive/malformed", where, "the entry is cut short")


def _difference(entry: Entry, source: Window) -> str | None:
    local = source.at(entry.header, 30)
    flags, method = struct.unpack("<HH", local[6:10])
    packed, unpacked, name, extra = struct.unpack("<LLHH", local[18:30])
    raw_name = source.at(entry.header + 30, name)
    if raw_name != entry.raw_name:
        return f"the name ({raw_name[:80]!r})"
    if method != entry.method:
        return f"the method of packing ({method} and {entry.method})"
    if (flags ^ entry.flags) & _ENCRYPTED:
        return "whether it is encrypted"
    if flags & _SIZES_FOLLOW:
        return None
    large = iter(_large(source.at(entry.header + 30 + name, extra)))
    unpacked, packed = (next(large, one) if one == _FULL else one for one in (unpacked, packed))
    if (packed, unpacked) != (entry.packed, entry.unpacked):
        return f"the size ({unpacked} and {entry.unpacked} bytes)"
    return None


_RAW = re.compile(r"(^|.*/)data/(.*/)?(\d+|(weight|constant|tensor|param|buffer)s?_\d+)")
_RAW_KINDS = ("torch", "torch-script", "program")


def _kind(entries: list[Entry]) -> str:
    names = {entry.name for entry in entries}
    leaves = {name.partition("/")[2] for name in names}
    if "config.json" in names and "metadata.json" in names:
        return "keras"
    if "archive_format" in leaves or "serialized_exported_program.json" in names:
        return "program"
    if "data.pkl" in leaves or "data.pkl" in names:
        return "torch-script" if any(leaf.startswith("code/") for leaf in leaves) else "torch"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    return "zip"


def _look_at(entry: Entry, kind: str, part: Part, job: Job) -> None:
    if entry.name.endswith("/") and not entry.unpacked:
        return
    raw = kind in _RAW_KINDS and _RAW.fullmatch(entry.name) is not None
    inner = part.inner(part.source, entry.name, raw=raw)
    source = _opened(entry, part, job, inner.where)
    if source is None:
        return
    try:
        job.inspect(part.inner(source, entry.name, raw=raw), job)
    finally:
        if entry.method:
            source.close()


def _opened(entry: Entry, part: Part, job: Job, where: str) -> Window | None:
    """The entry's bytes; None, with a finding, where they cannot or should not be had."""
    if entry.flags & _ENCRYPTED:
        job.find("archive/encrypted", where, "the entry is encrypted")
        return None
    packed = part.source.part(entry.data, entry.packed)
    if entry.method == 0:
        if entry.packed != entry.unpacked:
            job.find("archive/mismatch", where, f"{entry.packed} bytes are said to be {entry.unpacked}")
        return packed
    if entry.method not in _METHODS:
        job.find("archive/method", where, f"the entry is packed by method {entry.method}")
        return None
    try:
        found = Window.spool(
            bounded(unpacked(_METHODS[entry.method], packed), packed.size, job, entry.unpacked)
        )
    except TooLarge as error:
        job.find("archive/bomb", where, str(error))
        return None
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        job.find("archive/malformed", where, f"the entry cannot be unpacked: {error}")
        return None
    if found.size != entry.unpacked:
        job.find("archive/mismatch", where, f"{found.size} bytes are said to be {entry.unpacked}")
    return found
