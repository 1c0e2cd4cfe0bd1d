"""ONNX models: where their weights are read from, and which operations they ask for.

The file is walked as protocol-buffer fields without the onnx package: only the few fields that matter here are
followed, numbers are passed over where they lie, and a length that lies ends the walk.
"""

from __future__ import annotations

from collections.abc import Iterator

from hauberk.protection.scan.job import Job, Part
from hauberk.protection.scan.paths import leaves_folder
from hauberk.protection.scan.window import Window

_STANDARD = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training"})
_DEEP = 64  # graphs within graphs
_MOST = 5_000_000  # fields

# which fields of a message lead on, and to what
_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE, _FUNCTION, _TRAINING = range(8)
_FIELDS: dict[int, dict[int, int]] = {
    _MODEL: {7: _GRAPH, 20: _TRAINING, 25: _FUNCTION},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
    _FUNCTION: {7: _NODE},
    _TRAINING: {1: _GRAPH, 2: _GRAPH},
    _TENSOR: {},
}
_LENGTH = 2  # the wire type of what carries its length


class _Broken(Exception):
    """Not a protocol-buffer message."""


def _varint(source: Window) -> int:
    value = shift = 0
    while shift < 70:
        byte = source.read(1)
        if not byte:
            raise _Broken("it is cut short")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
    raise _Broken("a number without end")


def _fields(source: Window) -> Iterator[tuple[int, Window | int]]:
    """``(number, content)`` of one message."""
    source.seek(0)
    while source.tell() < source.size:
        key = _varint(source)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise _Broken("a field without number")
        if wire == 0:
            yield number, _varint(source)
        elif wire == _LENGTH:
            length = _varint(source)
            if length > source.size - source.tell():
                raise _Broken(f"a field of {length} bytes, where {source.size - source.tell()} are left")
            yield number, source.part(source.tell(), length)
            source.seek(length, 1)
        elif wire in (1, 5):
            width = 8 if wire == 1 else 4
            if len(source.read(width)) < width:
                raise _Broken("it is cut short")
        else:
            raise _Broken(f"a field of the unknown kind {wire}")


def looks_like_onnx(source: Window) -> bool:
    """Its first field is the version, and a graph follows before long."""
    try:
        for count, (number, content) in enumerate(_fields(source)):
            if count == 0 and (number != 1 or not isinstance(content, int) or not 0 < content < 100):
                return False
            if number == 7:
                return isinstance(content, Window)
            if number > 30 or count > 1000:
                return False
    except _Broken:
        return False
    return False


def look(part: Part, job: Job) -> str:
    """External data and custom operations of a model."""
    pending: list[tuple[int, Window, int]] = [(_MODEL, part.source, 0)]
    functions: set[str] = set()
    asked: dict[str, None] = {}
    places: dict[str, None] = {}
    steps = 0
    try:
        while pending:
            kind, source, depth = pending.pop()
            if depth > _DEEP:
                raise _Broken(f"more than {_DEEP} graphs within each other")
            for number, content in _fields(source):
                steps += 1
                if steps > _MOST:
                    raise _Broken(f"more than {_MOST} fields")
                if not isinstance(content, Window):
                    continue
                if number in _FIELDS[kind]:
                    pending.append((_FIELDS[kind][number], content, depth + 1))
                elif kind == _NODE and number == 7:
                    asked[_text(content)] = None
                elif kind == _FUNCTION and number == 10:
                    functions.add(_text(content))
                elif kind == _TENSOR and number == 13:
                    _note_place(content, places)
    except _Broken as error:
        job.find("onnx/malformed", part.where, f"not a whole ONNX model: {error}")
    for place in places:
        _check_place(place, part, job)
    for domain in asked:
        if domain not in _STANDARD and domain not in functions:
            job.find("onnx/custom-operation", part.where, f"asks for operations of {domain[:120]!r}")
    return "onnx"


def _text(content: Window) -> str:
    return content.at(0, 4096).decode("utf-8", "backslashreplace")


def _note_place(entry: Window, places: dict[str, None]) -> None:
    texts = {number: _text(one) for number, one in _fields(entry) if isinstance(one, Window)}
    if texts.get(1) == "location":
        places[texts.get(2, "")] = None


def _check_place(place: str, part: Part, job: Job) -> None:
    if leaves_folder(place) or not place.strip():
        job.find("onnx/external-path", part.where, f"weights are to be read from {place[:120]!r}")
    elif not part.where:
        job.mentioned.add(place)
