"""A witness behind HTTP: Starlette for the one address, uvicorn for the connections.

Anybody may send anything, so everything has a bound: bytes of a body, seconds for it, seconds for a connection,
and connections at once. What is refused for its form never reaches the witness.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from hauberk.core.errors import ConfigError, DependencyMissing, EnvironmentFailure, HauberkError
from hauberk.core.settings import require_count, require_positive
from hauberk.ledger.witness.judging import Witness
from hauberk.ledger.witness.protocol import MOST_BYTES, PATH, Reply

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request as HttpRequest
    from starlette.responses import Response

_SLOW = "the request came too slowly"
_LARGE = "the request is too large"
_FAILED = "the witness failed, and has cosigned nothing"


@dataclass(frozen=True)
class Bounds:
    """What one client may take.

    Args:
        body_s: seconds in which a body must be there.
        connection_s: seconds that a connection lives, whatever it does; also how long a head may take.
        connections: at once; more are answered with 503.
    """

    body_s: float = 10.0
    connection_s: float = 60.0
    connections: int = 64

    def __post_init__(self) -> None:
        require_positive("body_s", self.body_s, "Bounds")
        require_positive("connection_s", self.connection_s, "Bounds")
        require_count("connections", self.connections, "Bounds")


def application(witness: Witness, bounds: Bounds = Bounds()) -> Starlette:
    """The witness as an ASGI application, with ``POST /add-checkpoint``.

    Raises:
        DependencyMissing: no Starlette here.
    """
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import Response
        from starlette.routing import Route
    except ImportError as error:
        raise DependencyMissing.extra("a witness that answers over HTTP", "serve") from error

    async def add_checkpoint(request: HttpRequest) -> Response:
        body = await _body(request, bounds)
        reply = body if isinstance(body, Reply) else await run_in_threadpool(_judged, witness, body)
        headers = {"Content-Type": reply.kind}  # as a media type, Starlette would add a charset to it
        if isinstance(body, Reply):  # what was not read must not be taken for the next request
            headers["Connection"] = "close"
        return Response(reply.body, reply.status, headers)

    return Starlette(routes=[Route(PATH, add_checkpoint, methods=["POST"])])


def _judged(witness: Witness, body: bytes) -> Reply:
    try:
        return witness.add_checkpoint(body)
    except HauberkError as error:
        witness.tell(f"nothing was cosigned: {error}")
        return Reply.refused(HTTPStatus.INTERNAL_SERVER_ERROR, _FAILED)


async def _body(request: HttpRequest, bounds: Bounds) -> bytes | Reply:
    """The whole body, or the answer to one that is too large or too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(bounds.body_s):
            async for piece in request.stream():
                body += piece
                if len(body) > MOST_BYTES:
                    return Reply.refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _LARGE)
    except TimeoutError:
        return Reply.refused(HTTPStatus.REQUEST_TIMEOUT, _SLOW)
    return bytes(body)


def listen(address: str) -> socket.socket:
    """A listening socket for ``HOST:PORT``, or for ``PORT`` on this machine alone; port 0 takes a free one.

    Raises:
        ConfigError: not such an address.
        EnvironmentFailure: somebody else has it.
    """
    host, _, port = address.rpartition(":") if ":" in address else ("127.0.0.1", "", address)
    host = host.strip("[]")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(
            f"an address to listen at is HOST:PORT or PORT, got '{address}'", hint="--listen 127.0.0.1:2025"
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, int(port)), family=family, backlog=128)
    except OSError as error:
        raise EnvironmentFailure(f"cannot listen at {address}: {error.strerror or error}") from error


def serve(
    witness: Witness,
    listening: socket.socket,
    *,
    bounds: Bounds = Bounds(),
    started: Callable[[Any], None] = lambda _: None,
) -> None:
    """Answer until the process is asked to end (SIGINT, SIGTERM), then finish what is being answered.

    Args:
        started: is given the server before it runs; setting its ``should_exit`` ends it.
    """
    app = application(witness, bounds)
    try:
        import uvicorn
    except ImportError as error:
        raise DependencyMissing.extra("a witness that answers over HTTP", "serve") from error
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=_short_lived(bounds.connection_s),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=bounds.connections,
            timeout_graceful_shutdown=5,
        )
    )
    started(server)
    with listening:
        server.run(sockets=[listening])


def _short_lived(seconds: float) -> Any:
    """uvicorn's protocol with connections that end: it sets no bound of its own for the head of a request."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class ShortLived(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._end = self.loop.call_later(seconds, transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            self._end.cancel()
            super().connection_lost(exc)

    return ShortLived
