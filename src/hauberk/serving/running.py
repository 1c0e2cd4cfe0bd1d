"""Running the server: one process, one event loop, until it is told to stop."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

import uvicorn

from hauberk.core.errors import ConfigError, EnvironmentFailure
from hauberk.serving.app import App
from hauberk.serving.connections import Connection
from hauberk.serving.limits import Limits
from hauberk.serving.tls import Tls


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where the server listens.

    Args:
        host: a name or number of this machine.
        port: 0 takes a free one.
        tls: None speaks plainly, and then only to this machine unless ``plain_network`` says otherwise.
        plain_network: let others read along: for a proxy on another machine that encrypts in its place.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    tls: Tls | None = None
    plain_network: bool = False

    def __post_init__(self) -> None:
        if self.tls is None and not self.plain_network and not is_loopback(self.host):
            raise ConfigError(
                f"without TLS the server speaks only to this machine, not on {self.host}",
                hint="--tls CERT KEY; or --plain-network where an encrypting proxy stands before it",
            )

    def bind(self) -> socket.socket:
        """A bound socket, whose port is then known.

        Raises:
            EnvironmentFailure: the port is taken, or the address is not this machine's.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((self.host, self.port))
        except OSError as error:
            found.close()
            raise EnvironmentFailure(
                f"cannot listen on {self.host} port {self.port}: {error.strerror or error}"
            ) from error
        return found


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Server(uvicorn.Server):
    """uvicorn with this server's limits."""

    def __init__(self, app: App, address: Address, limits: Limits) -> None:
        connection = type("LimitedConnection", (Connection,), {"limits": limits})
        tls = address.tls
        super().__init__(
            uvicorn.Config(
                app,
                http=connection,
                ws="none",
                loop="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=limits.connections,
                timeout_keep_alive=int(limits.idle_s),
                timeout_graceful_shutdown=int(limits.grace_s),
                ssl_context_factory=None if tls is None else (lambda _config, _default: tls.context()),
            )
        )
