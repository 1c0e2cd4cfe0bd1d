"""One byte string for one JSON value (RFC 8785), and its digest: what evidence and packages are named by."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import rfc8785

from hauberk.core.errors import DataError


def canonical_bytes(value: Any) -> bytes:
    """RFC 8785 (JCS) bytes of a JSON value.

    Raises:
        DataError: NaN, infinities, integers beyond 2**53, or something that is not JSON.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise DataError(f"not representable as canonical JSON: {error}") from error


def digest(value: Any) -> str:
    """``sha256:<hex>`` of the canonical bytes."""
    return f"sha256:{hashlib.sha256(canonical_bytes(value)).hexdigest()}"


def file_digest(path: Path) -> str:
    """``sha256:<hex>`` of a file's bytes, read in pieces."""
    with open(path, "rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def parse_json(data: bytes, *, where: str) -> Any:
    """JSON that a second reader would understand the same way: no duplicate keys, no NaN, UTF-8 only.

    Raises:
        DataError: anything else, also a number too large for a double, which would be read as infinite.
    """

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in items:
            if key in result:
                raise DataError(f"{where}: key '{key}' stands twice")
            result[key] = value
        return result

    def constant(name: str) -> float:
        raise DataError(f"{where}: {name} is not JSON")

    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise DataError(f"{where}: {text} is too large for a number")
        return value

    try:
        text = data.decode("utf-8")
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=number)
    except DataError:
        raise
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataError(f"{where} is not valid JSON ({error})") from error


def finite(value: float) -> float | None:
    """JSON has no infinity: None stands for 'no finite number'."""
    return value if math.isfinite(value) else None
