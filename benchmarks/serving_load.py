"""Callers for ``serving.py``: connections that each send one request after the other and time the answers.

    python benchmarks/serving_load.py PORT REQUEST_FILE --connections 32 --seconds 5

REQUEST_FILE holds one whole HTTP request. Prints JSON: answers per second, latencies in seconds, and what was
answered with another status than 200. The first second is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

import numpy as np

WARM_S = 1.0


class Caller(asyncio.Protocol):
    """One connection; sends the next request when the answer to the last one is whole."""

    def __init__(self, request: bytes, taken: list[tuple[float, float]], wrong: list[bytes]) -> None:
        self._request, self._taken, self._wrong = request, taken, wrong
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
            self._sent = time.perf_counter()
            self._transport.write(self._request)


async def load(port: int, request: bytes, connections: int, seconds: float) -> dict[str, object]:
    """Rates and latencies."""
    taken: list[tuple[float, float]] = []
    wrong: list[bytes] = []
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: Caller(request, taken, wrong), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
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
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    chosen = parser.parse_args()
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(load(chosen.port, chosen.request.read_bytes(), chosen.connections, chosen.seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
