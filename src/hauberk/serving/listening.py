"""A listening socket and its connections: uvicorn's HTTP protocol, and a close that lets requests finish."""

from __future__ import annotations

import asyncio
import socket
import ssl
from email.utils import formatdate

import uvicorn
from uvicorn.server import ServerState

from hauberk.serving.app import App
from hauberk.serving.connections import Connection
from hauberk.serving.limits import Limits
from hauberk.serving.metrics import Metrics

_BACKLOG = 2048
_TURN_S = 0.02  # how often a closing listener looks whether all have gone


class Listener:
    """Takes connections and hands their requests to the application."""

    def __init__(self, app: App, limits: Limits, metrics: Metrics) -> None:
        self._connection = type("LimitedConnection", (Connection,), {"limits": limits, "metrics": metrics})
        self._limits = limits
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._date: asyncio.TimerHandle | None = None
        self._config = uvicorn.Config(
            app,
            http=self._connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(max(1, limits.idle_s)),
        )
        self._config.load()

    @property
    def connections(self) -> set[Connection]:
        """Those that are open."""
        return self._state.connections  # type: ignore[return-value]

    async def open(self, bound: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Listen on a bound socket.

        Raises:
            OSError: the port was taken since it was bound.
        """
        loop = asyncio.get_running_loop()
        self._tick()
        self._server = await loop.create_server(
            lambda: self._connection(config=self._config, server_state=self._state, app_state={}, _loop=loop),
            sock=bound,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else self._limits.receive_s,
            backlog=_BACKLOG,
        )

    async def close(self, grace_s: float) -> int:
        """Take no more connections, let requests finish, and cut off what is left; how many that were."""
        assert self._server is not None
        self._server.close()
        for connection in list(self.connections):
            connection.shutdown()
        loop = asyncio.get_running_loop()
        end = loop.time() + grace_s
        while self.connections and loop.time() < end:
            await asyncio.sleep(_TURN_S)
        left = list(self.connections)
        for connection in left:
            connection.transport.abort()
        if self._date is not None:
            self._date.cancel()
        await asyncio.sleep(0)
        return len(left)

    def _tick(self) -> None:
        """The date header, once a second."""
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        self._date = asyncio.get_running_loop().call_later(1.0, self._tick)
