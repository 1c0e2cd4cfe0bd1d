"""Callers for ``serving.py``: connections that each send one request after the other and time the answers.

    python benchmarks/serving_load.py PORT REQUEST_FILE --connections 32 --seconds 5

REQUEST_FILE holds one whole HTTP request. With ``--images`` (a ``.npy`` file, one image a row) each request
ends with another image instead of its own, and every connection begins elsewhere in the file; with ``--keys``
(a line for each connection) it shows an API key. Prints JSON: answers per second, latencies in seconds, and
what was answered with another status than 200. The first second is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

WARM_S = 1.0


class Caller(asyncio.Protocol):
    """One connection; sends the next request when the answer to the last one is whole."""

    def __init__(self, requests: Iterator[bytes], taken: list[tuple[float, float]], wrong: list[bytes]) -> None:
        self._requests, self._taken, self._wrong = requests, taken, wrong
        self._buffer, self._whole, self._sent, self._on = b"", 0, 0.0, True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._whole:
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            start = self._buffer[:head].lower()
            at = start.find(b"content-length: ") + len(b"content-length: ")
            self._whole = head + 4 + int(start[at:].split(b"\r\n", 1)[0])
        if len(self._buffer) >= self._whole:
            present = time.perf_counter()
            self._taken.append((present, present - self._sent))
            if not self._buffer.startswith(b"HTTP/1.1 200"):
                self._wrong.append(self._buffer[:200])
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if self._on:
            self._wrong.append(b"hung up")

    def stop(self) -> None:
        self._on = False
        self._transport.close()

    def _send(self) -> None:
        self._buffer, self._whole = b"", 0
        if self._on:
            request = next(self._requests)
            self._sent = time.perf_counter()
            self._transport.write(request)


def asked(request: bytes, images: list[bytes], key: str | None, start: int) -> Iterator[bytes]:
    """Requests of one connection."""
    if key is not None:
        request = request.replace(b"\r\n\r\n", f"\r\nauthorization: Bearer {key}\r\n\r\n".encode(), 1)
    if not images:
        while True:
            yield request
    front = request[: -len(images[0])]
    while True:
        yield front + images[start % len(images)]
        start += 1


async def load(
    port: int, request: bytes, images: list[bytes], keys: list[str], connections: int, seconds: float
) -> dict[str, object]:
    """Rates and latencies."""
    taken: list[tuple[float, float]] = []
    wrong: list[bytes] = []
    loop = asyncio.get_running_loop()
    callers = []
    for number in range(connections):
        key = keys[number % len(keys)] if keys else None
        own = asked(request, images, key, number * len(images) // connections)
        callers.append(
            (await loop.create_connection(lambda own=own: Caller(own, taken, wrong), "127.0.0.1", port))[1]
        )
    begin = time.perf_counter() + WARM_S
    await asyncio.sleep(WARM_S + seconds)
    end = time.perf_counter()
    for caller in callers:
        caller.stop()
    times = np.array([one for at, one in taken if begin <= at <= end])
    return {
        "requests_per_s": len(times) / (end - begin),
        "p50_s": float(np.quantile(times, 0.5)) if len(times) else None,
        "p99_s": float(np.quantile(times, 0.99)) if len(times) else None,
        "wrong": [one.decode("latin-1") for one in wrong[:3]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("request", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--keys", type=Path)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    chosen = parser.parse_args()
    import uvloop

    images = [] if chosen.images is None else [one.tobytes() for one in np.load(chosen.images)]
    keys = [] if chosen.keys is None else chosen.keys.read_text().split()
    request = chosen.request.read_bytes()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(load(chosen.port, request, images, keys, chosen.connections, chosen.seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
