"""Pickles in all the ways they are stored: alone, in a row, as old torch files, and joblib's with arrays.

A stream is followed as its readers follow it. Old torch files are five pickles and then raw numbers; joblib
writes an array's numbers into the middle of a pickle, right after the object that describes it.
"""

from __future__ import annotations

import re
from typing import Any

from hauberk.protection.scan import libraries
from hauberk.protection.scan.job import Job, Part
from hauberk.protection.scan.machine import Held, Machine
from hauberk.protection.scan.opcodes import Malformed
from hauberk.protection.scan.window import Window

_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_MOST = 1000  # pickles in one stream
_WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_PROBED = 1 << 20  # bytes of an unknown file that are tried as a pickle


def look(part: Part, job: Job) -> str:
    """A stream of pickles; its kind is ``pickle``, ``torch-legacy`` or ``joblib``."""
    stream = _Stream(part, job)
    stream.follow()
    if job.libraries:
        libraries.look(part.source.part(0, stream.end), part.where, job)
    return stream.kind


def is_pickle(source: Window) -> bool:
    """Whether what looks like something else would do something when it is read as a pickle."""
    heard: list[str] = []
    machine = Machine(source.part(0, _PROBED), lambda rule, place, message: heard.append(rule), limit=100_000)
    try:
        machine.run()
    except Malformed:
        # a break comes too late where something was called before it
        return machine.calls > 0 or "pickle/dangerous-import" in heard
    return bool(machine.names) or machine.calls > 0


class _Stream:
    """Pickles in one window."""

    def __init__(self, part: Part, job: Job) -> None:
        self.part, self.job, self.source = part, job, part.source
        self.kind = "pickle"
        self.end = 0

    def follow(self) -> None:
        self.source.seek(0)
        first = self._one()
        if first is None:
            return
        if first == _TORCH_MAGIC and type(first) is int:
            self.kind = "torch-legacy"
            for _ in range(4):  # protocol, machine, the object, the order of its storages
                if self._one() is None:
                    return
            return  # raw numbers from here on
        for _ in range(_MOST):
            if self.end >= self.source.size:
                return
            if not self._another():
                break
        left = self.source.size - self.end
        message = f"{left} bytes follow the last pickle"
        self.job.find("pickle/trailing-data", self.part.place(self.end), message)

    def _one(self) -> Any:
        """The next pickle's value; None where it breaks off."""
        try:
            value = self._machine(self._report).run()
        except Malformed as error:
            self.end = self.source.tell()
            self.job.find("pickle/malformed", self.part.place(self.end), f"not a whole pickle: {error}")
            return None
        self.end = self.source.tell()
        return value if value is not None else ""

    def _another(self) -> bool:
        """Whether a further pickle follows; what is none may be anything."""
        heard: list[tuple[str, int, str]] = []
        machine = self._machine(lambda *one: heard.append(one))
        self.source.seek(self.end)
        try:
            machine.run()
        except Malformed:
            if not machine.calls and not any(rule == "pickle/dangerous-import" for rule, *_ in heard):
                return False
        for one in heard:
            self._report(*one)
        self.end = self.source.tell()
        return True

    def _machine(self, report: Any) -> Machine:
        return Machine(self.source, report, limit=self.job.limits.opcodes, on_build=self._built)

    def _report(self, rule: str, place: int, message: str) -> None:
        self.job.find(rule, self.part.place(place), message)

    def _built(self, made: Held, state: Any) -> None:
        if made.name == _WRAPPER:
            self.kind = "joblib"
            self._skip_array(state)

    def _skip_array(self, state: Any) -> None:
        """Past the numbers that joblib reads at this point."""
        facts = _facts(state)
        shape, dtype = facts.get("shape"), facts.get("dtype")
        width = itemsize(dtype.items[0]) if isinstance(dtype, Held) and dtype.items else None
        sizes = shape.items if isinstance(shape, Held) and shape.kind == "tuple" else None
        if width == 0:  # objects: a pickle of their own
            self._one()
            return
        if width is None or sizes is None or not all(type(one) is int and one >= 0 for one in sizes):
            place = self.part.place(self.source.tell())
            self.job.find("pickle/unfollowed", place, "joblib reads an array here whose length is not known")
            raise Malformed("it was not followed to its end")
        if facts.get("numpy_array_alignment_bytes") is not None:
            self.source.seek(int.from_bytes(self.source.read(1), "little"), 1)
        length = width
        for one in sizes:
            length *= one
        if length > self.source.size - self.source.tell():
            raise Malformed(f"an array of {length} bytes is cut short")
        self.source.seek(length, 1)


def _facts(state: Any) -> dict[str, Any]:
    items = state.items if isinstance(state, Held) and state.kind == "dict" else ()
    return {key: value for key, value in zip(items[::2], items[1::2], strict=False) if isinstance(key, str)}


_DTYPE = re.compile(r"[<>=|]?([biufcSVUmMO?])(\d*)(\[\w+\])?")


def itemsize(described: Any) -> int | None:
    """Bytes of one entry of a NumPy dtype such as ``<f8``; 0 for objects, None where that is not known."""
    found = _DTYPE.fullmatch(described) if isinstance(described, str) else None
    if found is None or found[1] == "V":
        return None  # fields, which may hold objects
    if found[1] == "O":
        return 0
    if found[1] == "?":
        return 1
    return int(found[2]) * (4 if found[1] == "U" else 1) if found[2] and len(found[2]) < 12 else None
