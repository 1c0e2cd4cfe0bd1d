"""Inference requests and answers of the Open Inference Protocol v2, as JSON and with binary tensors.

A classifier has one input, ``input``, and the outputs ``probabilities``, ``label`` and ``logits``; a request
that names no output gets the first two. With the binary tensor extension the JSON part is followed by the
tensors' bytes, little-endian and row-major, and the header ``Inference-Header-Content-Length`` says where it
ends.

Source: Open Inference Protocol v2, REST; Triton's binary tensor data extension.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from hauberk.serving.problems import Problem, bad_request

Floats = npt.NDArray[np.float32]

INPUT = "input"
OUTPUTS = ("probabilities", "label", "logits")
_DEFAULT = OUTPUTS[:2]
OUTPUT_TYPES = {"probabilities": "FP32", "label": "INT64", "logits": "FP32"}
INPUT_TYPES: dict[str, np.dtype[Any]] = {
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "FP16": np.dtype("<f2"),
}
LONGEST_ID = 128
_NO_PARAMETERS: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Question:
    """An inference request that can be carried out.

    Args:
        rows: float32 ``(n, *input_shape)``; not yet compared with the model's bounds.
        outputs: what to answer, in order.
        binary: which of them as bytes.
        id: the caller's own name for the request, or None.
    """

    rows: Floats
    outputs: tuple[str, ...]
    binary: frozenset[str]
    id: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: float32 ``(n, classes)`` each, and int64 ``(n,)``."""

    probabilities: Floats
    label: npt.NDArray[np.int64]
    logits: Floats


def parse(body: bytes, header_bytes: int | None, shape: Sequence[int], most_rows: int) -> Question:
    """Read a request.

    Args:
        body: all of it, unpacked.
        header_bytes: what ``Inference-Header-Content-Length`` says; None where all of it is JSON.
        shape: of one image.

    Raises:
        Problem: 400 with what is wrong, where, and what was expected; 413 for too many rows.
    """
    if header_bytes is not None and header_bytes > len(body):
        raise bad_request(
            "header-length",
            f"Inference-Header-Content-Length is {header_bytes}, the body has {len(body)} bytes",
        )
    document = _json(body if header_bytes is None else memoryview(body)[:header_bytes])
    rest = b"" if header_bytes is None else memoryview(body)[header_bytes:]
    name = document.get("id")
    if name is not None and (type(name) is not str or len(name) > LONGEST_ID):
        raise bad_request("id", f"'id' is text of at most {LONGEST_ID} characters")
    inputs = document.get("inputs")
    if type(inputs) is not list or len(inputs) != 1 or type(inputs[0]) is not dict:
        raise bad_request("inputs", f"'inputs' must be a list of one tensor, '{INPUT}'")
    rows = _tensor(inputs[0], rest, shape, most_rows)
    outputs, binary = _outputs(document)
    return Question(rows, outputs, binary, name)


def _json(data: bytes | memoryview) -> dict[str, Any]:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise bad_request("json", f"the request is not JSON: {error.msg}") from None
    if type(document) is not dict:
        raise bad_request("json", "the request must be a JSON object")
    return document


def _tensor(one: Mapping[str, Any], rest: bytes | memoryview, shape: Sequence[int], most_rows: int) -> Floats:
    if one.get("name") != INPUT:
        raise bad_request("inputs", f"no input named {_shown(one.get('name'))}; this model takes '{INPUT}'")
    kind = one.get("datatype")
    dtype = INPUT_TYPES.get(kind) if type(kind) is str else None
    if dtype is None:
        raise bad_request("datatype", f"'datatype' must be FP32, FP64 or FP16, got {_shown(kind)}")
    sizes = one.get("shape")
    if type(sizes) is not list or len(sizes) != len(shape) + 1 or sizes[1:] != list(shape):
        raise bad_request("shape", f"'shape' must be [n, {', '.join(map(str, shape))}], got {_shown(sizes)}")
    count = sizes[0]
    if type(count) is not int or count < 1:
        raise bad_request("shape", f"the first size must be a whole number of at least 1, got {_shown(count)}")
    if count > most_rows:
        raise Problem(413, "too-many-rows", f"a request may hold {most_rows} images, got {count}")
    length = count * math.prod(shape)
    size = _parameters(one).get("binary_data_size")
    if size is None:
        if len(rest):
            raise bad_request(
                "binary", f"{len(rest)} bytes follow the header, but no tensor is said to have any"
            )
        return _listed(one.get("data"), dtype, (count, *shape), length)
    if "data" in one:
        raise bad_request("binary", "a tensor has either 'data' or 'binary_data_size', not both")
    if type(size) is not int or size != length * dtype.itemsize:
        raise bad_request(
            "binary", f"'binary_data_size' must be {length * dtype.itemsize} for this shape, got {_shown(size)}"
        )
    if len(rest) != size:
        raise bad_request("binary", f"{size} bytes were announced, {len(rest)} follow the header")
    values: Floats = np.frombuffer(rest, dtype=dtype).astype(np.float32, copy=False)
    return values.reshape(count, *shape)


def _listed(data: Any, dtype: np.dtype[Any], shape: tuple[int, ...], length: int) -> Floats:
    if type(data) is not list:
        raise bad_request("data", "'data' must be a list of numbers")
    try:
        values = np.array(data, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise bad_request(
            "data", "'data' holds something else than numbers, or rows of unequal length"
        ) from None
    if values.shape not in ((length,), shape):
        raise bad_request(
            "data",
            f"'data' must hold {length} numbers, flat or nested as {list(shape)}; got {list(values.shape)}",
        )
    with np.errstate(over="ignore"):  # what is too large for the type becomes infinite, and is out of bounds
        return values.astype(dtype).astype(np.float32, copy=False).reshape(shape)


def _outputs(document: Mapping[str, Any]) -> tuple[tuple[str, ...], frozenset[str]]:
    all_binary = _flag(_parameters(document), "binary_data_output")
    asked = document.get("outputs")
    if asked is None or asked == []:
        return _DEFAULT, frozenset(_DEFAULT) if all_binary else frozenset()
    if type(asked) is not list:
        raise bad_request("outputs", "'outputs' must be a list")
    names: list[str] = []
    binary = set()
    for one in asked:
        name = one.get("name") if type(one) is dict else None
        if name not in OUTPUTS:
            raise bad_request("outputs", f"no output {_shown(name)}; known: {', '.join(OUTPUTS)}")
        if name in names:
            raise bad_request("outputs", f"output '{name}' is asked for twice")
        names.append(name)
        parameters = _parameters(one)
        if _flag(parameters, "binary_data") if "binary_data" in parameters else all_binary:
            binary.add(name)
    return tuple(names), frozenset(binary)


def _parameters(one: Mapping[str, Any]) -> Mapping[str, Any]:
    found = one.get("parameters")
    if found is None:
        return _NO_PARAMETERS
    if type(found) is not dict:
        raise bad_request("parameters", "'parameters' must be an object")
    return found


def _flag(parameters: Mapping[str, Any], name: str) -> bool:
    value = parameters.get(name, False)
    if type(value) is not bool:
        raise bad_request("parameters", f"'{name}' is true or false, got {_shown(value)}")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def encode(
    model: str, version: str, question: Question, answer: Answer, *, decimals: int | None = None
) -> tuple[bytes, int | None]:
    """The body of an answer, and the length of its JSON part where tensors follow it.

    Args:
        decimals: round JSON numbers to so many places; None writes them exactly.
    """
    described: list[dict[str, Any]] = []
    tails: list[bytes] = []
    for name in question.outputs:
        values: npt.NDArray[Any] = getattr(answer, name)
        one: dict[str, Any] = {"name": name, "datatype": OUTPUT_TYPES[name], "shape": list(values.shape)}
        if name in question.binary:
            tail = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
            one["parameters"] = {"binary_data_size": len(tail)}
            tails.append(tail)
        else:
            shown = values if decimals is None or name == "label" else values.round(decimals)
            one["data"] = shown.ravel().tolist()
        described.append(one)
    document: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": described}
    if question.id is not None:
        document["id"] = question.id
    head = orjson.dumps(document)
    return (head + b"".join(tails), len(head)) if tails else (head, None)


def metadata(model: str, versions: Sequence[str], shape: Sequence[int], classes: int) -> dict[str, Any]:
    """The model metadata answer."""
    return {
        "name": model,
        "versions": list(versions),
        "platform": "pytorch_hauberk",
        "inputs": [{"name": INPUT, "datatype": "FP32", "shape": [-1, *shape]}],
        "outputs": [
            {"name": name, "datatype": OUTPUT_TYPES[name], "shape": [-1] if name == "label" else [-1, classes]}
            for name in OUTPUTS
        ],
    }
