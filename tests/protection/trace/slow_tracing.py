"""A second implementation of docs/tracing.md, one number at a time, with nothing of ``hauberk`` in it."""

from __future__ import annotations

import hashlib
import hmac
import math
import struct
from collections.abc import Sequence


def hkdf(key: bytes, info: str) -> bytes:
    extracted = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(extracted, info.encode() + b"\x01", hashlib.sha256).digest()


def stream(key: bytes, use: str, size: int) -> bytes:
    return hashlib.shake_256(hkdf(key, "hauberk-trace/1 " + use)).digest(size)


def length(recipients: int, colluders: int, max_false: float) -> int:
    return math.ceil(23.79 * colluders * colluders * math.log(recipients / max_false))


def thresholds(key: bytes, model: str, colluders: int, positions: int) -> list[int]:
    lowest = math.asin(math.sqrt(1 / (28.31 * colluders)))
    found = []
    for (drawn,) in struct.iter_unpack("<I", stream(key, f"biases {model}", 4 * positions)):
        angle = lowest + (math.pi / 2 - 2 * lowest) * (drawn + 0.5) / 2**32
        found.append(round(65536 * math.sin(angle) ** 2))
    return found


def word(key: bytes, model: str, name: str, limits: Sequence[int]) -> list[int]:
    drawn = struct.iter_unpack("<H", stream(key, f"word {model} {name}", 2 * len(limits)))
    return [int(number < limit) for (number,), limit in zip(drawn, limits, strict=True)]


def carriers(
    key: bytes, model: str, name: str, weights: Sequence[float], dealt: int, positions: int
) -> list[tuple[int, int]]:
    """Position and sign of each weight of a tensor."""
    drawn = [one for (one,) in struct.iter_unpack("<Q", stream(key, f"order {model} {name}", 8 * len(weights)))]
    order = sorted(range(len(weights)), key=lambda place: drawn[place])
    ranks = {place: rank for rank, place in enumerate(order)}
    signs = stream(key, f"signs {model} {name}", -(-len(weights) // 8))
    found = []
    for place, weight in enumerate(weights):
        sign = 1 if signs[place // 8] >> place % 8 & 1 else -1
        found.append(((ranks[place] + dealt) % positions, sign if weight != 0 else 0))
    return found


def score(values: Sequence[float], bits: Sequence[int], biases: Sequence[float]) -> float:
    return sum(v * (x - p) / math.sqrt(p * (1 - p)) for v, x, p in zip(values, bits, biases, strict=True))


def tail(values: Sequence[float], biases: Sequence[float], reached: float) -> float:
    """The exact probability that an innocent scores at least ``reached``, over all words there are."""
    whole = 0.0
    for number in range(2 ** len(values)):
        bits = [number >> place & 1 for place in range(len(values))]
        if score(values, bits, biases) >= reached - 1e-12:
            whole += math.prod(p if bit else 1 - p for bit, p in zip(bits, biases, strict=True))
    return whole
