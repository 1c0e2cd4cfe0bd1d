"""What a part is, by its content, and who looks into it.

A name may say anything, so it is asked only where content says nothing. A file that a second kind of reader
would accept as well is a finding of its own, and is looked at as both.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable

from hauberk.protection.scan import (
    descriptions,
    hdf5,
    onnx_files,
    pickles,
    programs,
    tars,
    tensors,
    unpacking,
    zips,
)
from hauberk.protection.scan.job import Job, Part
from hauberk.protection.scan.window import PIECE, Window

_HDF5 = b"\x89HDF\r\n\x1a\n"
_PICKLE_NAMES = (".pkl", ".pickle", ".p", ".pt", ".pth", ".joblib")  # nothing else has these
_SOURCE_NAMES = (".py", ".pyc", ".pyw", ".sh", ".bat", ".cmd", ".ps1", ".js", ".lua", ".ipynb", ".cu", ".cpp")
_EXECUTABLE_NAMES = (".so", ".dll", ".dylib", ".exe", ".pyd")
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x93NUMPY", "numpy"),
    (b"\x7fELF", "executable"),
    (b"MZ", "executable"),
    (b"\xfe\xed\xfa", "executable"),
    (b"\xcf\xfa\xed\xfe", "executable"),
    (b"\xca\xfe\xba\xbe", "executable"),
    (b"age-encryption.org/v1\n", "sealed"),
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"%PDF-", "pdf"),
)
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")

_LOOK: dict[str, Callable[[Part, Job], str]] = {
    "zip": zips.look,
    "tar": tars.look,
    "hdf5": hdf5.look,
    "safetensors": tensors.look_safetensors,
    "numpy": tensors.look_numpy,
    "onnx": onnx_files.look,
    "pickle": pickles.look,
    "json": descriptions.look,
}
_PACKED = ("gzip", "bzip2", "xz", "zlib")


def inspect(part: Part, job: Job) -> str:
    """Look into a part, and return its kind."""
    if part.depth > job.limits.depth:
        job.find("archive/too-deep", part.where, f"lies in more than {job.limits.depth} archives")
        return "unknown"
    source = part.source
    if part.raw:
        if pickles.is_pickle(source):
            pickles.look(part, job)
        return "raw"
    kind = _kind_of(part)
    for other in _others(source, kind):
        job.find("polyglot/two-kinds", part.where, f"is {kind} and {other} at once")
        _LOOK[other](part, job)
    if kind in _PACKED:
        return unpacking.look(kind, part, job)
    if kind in _LOOK:
        found = _LOOK[kind](part, job)
        return _program(part, job) if found == "json" else found
    if kind == "executable":
        job.find("code/executable", part.where, "a program for this or another system")
    elif kind == "source":
        job.find("code/source", part.where, "source code")
    elif kind in ("unknown", "pdf"):
        job.find("unknown/kind", part.where, "nothing that is known here")
    return kind


def _program(part: Part, job: Job) -> str:
    document = descriptions.load(part.source, part.where, job)
    if not programs.is_program(document):
        return "json"
    programs.check(document, part.where, job)
    return "program-graph"


def _kind_of(part: Part) -> str:
    source, name = part.source, part.name.lower()
    head = source.at(0, 512)
    if not head:
        return "empty"
    if name.endswith(_SOURCE_NAMES) or head.startswith(b"#!"):
        return "source"
    if name.endswith(_EXECUTABLE_NAMES):
        return "executable"
    if head.startswith(b"PK\x03\x04") or (head.startswith(b"PK\x05\x06") and source.size == 22):
        return "zip"
    if head.startswith(_HDF5):
        return "hdf5"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if tensors.looks_like_safetensors(source):
        return "safetensors"
    if head[0] == 0x80 and len(head) > 1 and head[1] <= 5:
        return "pickle"
    return _kind_without_mark(source, name, head)


def _kind_without_mark(source: Window, name: str, head: bytes) -> str:
    if name.endswith(".onnx") or onnx_files.looks_like_onnx(source):
        return "onnx"
    if _is_tar(head):
        return "tar"
    if head[:2] in _ZLIB and (name.endswith((".z", ".zlib", *_PICKLE_NAMES)) or head[:2] == b"\x78\x9c"):
        return "zlib"
    if pickles.is_pickle(source):
        return "pickle"
    if name.endswith(_PICKLE_NAMES):
        return "pickle"  # what is wrong with it is said there
    if name.endswith(".json") or (head.lstrip()[:1] == b"{" and _is_text(source)):
        return "json"
    return "text" if _is_text(source) else "unknown"


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _others(source: Window, kind: str) -> list[str]:
    """Further kinds whose readers would accept the same bytes."""
    found = []
    if kind != "zip" and zips.directory_end(source) is not None:
        found.append("zip")
    if kind != "tar" and _is_tar(source.at(0, 512)):
        found.append("tar")
    if kind != "hdf5" and any(source.at(place, 8) == _HDF5 for place in _userblocks(source.size)):
        found.append("hdf5")
    return found


def _userblocks(size: int) -> list[int]:
    """Where the HDF5 library looks for a file's beginning."""
    return [512 << power for power in range(40) if 512 << power < size]


def _is_text(source: Window) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in source.pieces():
            if "\0" in decoder.decode(piece) or source.size > 64 * PIECE:
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
