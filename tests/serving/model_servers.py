"""Servers for tests: in a thread of this process, on a free port, with everything that a real one has."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hauberk.serving.address import Address
from hauberk.serving.admitting import Checks
from hauberk.serving.folders import FolderSource
from hauberk.serving.limits import Limits
from hauberk.serving.running import Service, serve

WAIT_S = 60.0


@dataclass
class Server:
    """A server that runs; the events are those that its signals would set."""

    port: int
    loop: asyncio.AbstractEventLoop
    stop_event: asyncio.Event
    renew_event: asyncio.Event
    thread: threading.Thread | None = None
    failed: list[BaseException] = field(default_factory=list)

    def renew(self) -> None:
        """Look at the source now."""
        self.loop.call_soon_threadsafe(self.renew_event.set)

    def stop(self) -> None:
        if self.thread is not None and self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.stop_event.set)
            self.thread.join(WAIT_S)
            assert not self.thread.is_alive()
        if self.failed:
            raise self.failed[0]

    def raw(self, data: bytes, *, timeout: float = 10.0) -> bytes:
        """What comes back for these bytes until the server hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            connection.sendall(data)
            return received(connection)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        finally:
            connection.close()

    def infer(self, name: str, images: np.ndarray, **more: Any) -> tuple[int, dict[str, Any]]:
        """Status and document of a request in JSON."""
        status, _headers, body = self.ask("POST", f"/v2/models/{name}/infer", question(images, **more))
        return status, json.loads(body)


def received(connection: socket.socket) -> bytes:
    """Everything until the other side hangs up."""
    pieces = []
    try:
        while piece := connection.recv(1 << 16):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def question(images: np.ndarray, **more: Any) -> bytes:
    tensor = {"name": "input", "shape": list(images.shape), "datatype": "FP32", "data": images.ravel().tolist()}
    return json.dumps({"inputs": [tensor], **more}).encode()


@contextmanager
def served(
    places: Mapping[str, Path],
    *,
    checks: Checks | None = None,
    limits: Mapping[str, Any] | None = None,
    **more: Any,
) -> Iterator[Server]:
    """A server of packages; its failures are raised at the end."""
    service = Service(
        source=FolderSource(places, checks or Checks()),
        address=more.pop("address", Address(port=0)),
        limits=Limits(**{"drain_s": 0.0, "grace_s": 5.0, **(limits or {})}),
        **{"poll_s": 3600.0, **more},
    )
    with running(service) as server:
        yield server


@contextmanager
def running(service: Service) -> Iterator[Server]:
    bound = service.address.bind()
    begun = threading.Event()
    found: list[Server] = []
    failed: list[BaseException] = []

    def work() -> None:
        async def main() -> None:
            stop, renew = asyncio.Event(), asyncio.Event()
            loop = asyncio.get_running_loop()
            found.append(Server(bound.getsockname()[1], loop, stop, renew, failed=failed))
            await serve(service, bound, listening=begun.set, stop=stop, renew=renew)

        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 (told to the test)
            failed.append(error)
        finally:
            begun.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert begun.wait(WAIT_S)
    if failed:
        thread.join()
        raise failed[0]
    server = found[0]
    server.thread = thread
    try:
        yield server
    finally:
        server.stop()
