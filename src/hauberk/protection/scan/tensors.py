"""safetensors and NumPy files: headers that must say exactly what follows them."""

from __future__ import annotations

import ast
import math
from typing import Any

from hauberk.core.canonical import parse_json
from hauberk.core.errors import DataError
from hauberk.protection.scan.job import Job, Part
from hauberk.protection.scan.pickles import itemsize
from hauberk.protection.scan.window import Window

_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
_ENTRY = {"dtype", "shape", "data_offsets"}


def looks_like_safetensors(source: Window) -> bool:
    """A length and an opening brace."""
    head = source.at(0, 9)
    return len(head) == 9 and head[8:] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= source.size - 8


def look_safetensors(part: Part, job: Job) -> str:
    """Header and layout of a safetensors file."""
    length = int.from_bytes(part.source.at(0, 8), "little")
    if length > job.limits.json_bytes:
        job.find("safetensors/header", part.where, f"a header of {length} bytes")
        return "safetensors"
    try:
        header = parse_json(part.source.at(8, length), where="the header")
        if not isinstance(header, dict):
            raise DataError("the header is not an object")
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(one, str) for one in metadata.values()):
            raise DataError("its metadata are not texts")
        spans = [_span(name, facts) for name, facts in header.items()]
    except DataError as error:
        job.find("safetensors/header", part.where, str(error))
        return "safetensors"
    reached = 0
    for begin, end, name in sorted(spans):
        if begin != reached:
            what = "overlaps the one before it" if begin < reached else "leaves a hole before it"
            job.find("safetensors/layout", part.where, f"the tensor {name!r} {what}")
        reached = max(reached, end)
    held = part.source.size - 8 - length
    if reached > held:
        job.find(
            "safetensors/layout", part.where, f"tensors up to byte {reached}, where {held} bytes are there"
        )
    elif reached < held:
        job.find("safetensors/layout", part.where, f"{held - reached} bytes follow the last tensor")
    return "safetensors"


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


def _span(name: str, facts: Any) -> tuple[int, int, str]:
    if not isinstance(facts, dict) or set(facts) != _ENTRY:
        raise DataError(f"the tensor {name!r} is not described by dtype, shape and data_offsets")
    shape, offsets = facts["shape"], facts["data_offsets"]
    bits = _BITS.get(facts["dtype"]) if isinstance(facts["dtype"], str) else None
    if bits is None:
        raise DataError(f"the tensor {name!r} has the unknown dtype {facts['dtype']!r}")
    if not isinstance(shape, list) or not all(map(_whole, shape)):
        raise DataError(f"the tensor {name!r} has the shape {str(shape)[:80]}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_whole, offsets)):
        raise DataError(f"the tensor {name!r} has the offsets {str(offsets)[:80]}")
    begin, end = offsets
    if (end - begin) * 8 != math.prod(shape) * bits:
        raise DataError(f"the tensor {name!r} takes {end - begin} bytes, which is not its shape")
    return begin, end, name


_NUMPY = b"\x93NUMPY"
_LONGEST_HEADER = 1 << 16


def look_numpy(part: Part, job: Job) -> str:
    """One or several arrays in the form of ``numpy.save``."""
    source, start = part.source, 0
    for _ in range(job.limits.entries):
        used = _one_array(source, start, part, job)
        if used is None:
            break
        start += used
        if start == source.size:
            break
        if source.at(start, 6) != _NUMPY:
            job.find("numpy/malformed", part.where, f"{source.size - start} bytes follow the array")
            break
    return "numpy"


def _one_array(source: Window, start: int, part: Part, job: Job) -> int | None:
    """How many bytes an array takes; None, with a finding, where that cannot be told."""
    try:
        body, shape, described = _header(source, start)
    except (DataError, ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        job.find("numpy/malformed", part.place(start), f"not the header of an array: {error}")
        return None
    if _has_objects(described):
        job.inspect(part.inner(source.part(body, source.size - body), "objects.pkl"), job)
        return None
    width = _width(described)
    if width is None:
        job.find("numpy/malformed", part.place(start), f"entries of an unknown kind: {str(described)[:80]}")
        return None
    length = math.prod(shape) * width
    if length > source.size - body:
        job.find("numpy/malformed", part.place(start), f"{length} bytes are announced, fewer are there")
        return None
    return body - start + length


def _header(source: Window, start: int) -> tuple[int, tuple[int, ...], Any]:
    major = source.at(start + 6, 1)
    width = {b"\x01": 2, b"\x02": 4, b"\x03": 4}.get(major)
    if width is None:
        raise DataError("unknown version")
    length = int.from_bytes(source.at(start + 8, width), "little")
    if length > _LONGEST_HEADER:
        raise DataError(f"it has {length} bytes")
    body = start + 8 + width + length
    header = ast.literal_eval(
        source.at(start + 8 + width, length).decode("utf-8" if major == b"\x03" else "latin-1")
    )
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise DataError("its keys are not those of an array")
    shape = header["shape"]
    if not isinstance(shape, tuple) or not all(map(_whole, shape)):
        raise DataError(f"the shape {str(shape)[:80]}")
    return body, shape, header["descr"]


def _has_objects(described: Any) -> bool:
    if isinstance(described, list | tuple):
        return any(_has_objects(one) for field in described for one in _types(field))
    return isinstance(described, str) and "O" in described


def _types(field: Any) -> list[Any]:
    """What may be a type in a field ``(name, type, shape)``."""
    if isinstance(field, tuple) and len(field) >= 2:
        return [field[1]]
    return [field] if isinstance(field, str | list) else []


def _width(described: Any) -> int | None:
    if isinstance(described, str):
        if described[:1] in "|<>=" and described[1:2] == "V":
            return int(described[2:]) if described[2:].isdigit() and len(described) < 14 else None
        return itemsize(described) or None
    if not isinstance(described, list):
        return None
    widths = [_field_width(field) for field in described]
    return None if None in widths else sum(one or 0 for one in widths)


def _field_width(field: Any) -> int | None:
    if not isinstance(field, tuple) or not 2 <= len(field) <= 3:
        return None
    width = _width(field[1])
    shape = field[2] if len(field) == 3 else ()
    if width is None or not isinstance(shape, tuple) or not all(map(_whole, shape)):
        return None
    return width * math.prod(shape)
