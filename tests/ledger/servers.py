"""Servers that tests start on a free loopback port, and end."""

from __future__ import annotations

import importlib.util
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hauberk.ledger.witness import Witness
from hauberk.ledger.witness.service import Bounds, listen, serve

Answer = tuple[int, str, bytes]


def need(absent: Callable[[str, str], None], install: str, *modules: str) -> None:
    """Say what is missing in the way that all tests do."""
    for name in modules:
        if importlib.util.find_spec(name) is None:
            absent(name, install)


@contextmanager
def answering(answer: Callable[[str, bytes], Answer], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A stand-in for somebody else's service: path and body in; status, content type and body out."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, kind, said = answer(self.path, body)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(said)))
            if status in (301, 302):
                self.send_header("Location", said.decode())
            self.end_headers()
            with suppress(BrokenPipeError):  # a client that does not wait
                self.wfile.write(said)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None: ...  # a client that went away, or did not like the certificate

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving(witness: Witness, bounds: Bounds | None = None) -> Iterator[str]:
    """Our witness behind its real server, in a thread."""
    listening = listen("127.0.0.1:0")
    port = listening.getsockname()[1]
    servers: list[Any] = []
    ready = threading.Event()

    def started(server: Any) -> None:
        servers.append(server)
        ready.set()

    thread = threading.Thread(
        target=serve, args=(witness, listening), kwargs={"bounds": bounds or Bounds(), "started": started}
    )
    thread.start()
    assert ready.wait(20)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        servers[0].should_exit = True
        thread.join()
