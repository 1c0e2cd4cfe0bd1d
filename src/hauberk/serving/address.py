"""Where a server listens; in plain text only to its own machine, unless told otherwise in so many words."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from hauberk.core.errors import ConfigError, EnvironmentFailure
from hauberk.core.settings import require_count
from hauberk.serving.tls import Tls

_HIGHEST_PORT = 65535


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
        require_count("port", self.port, "Address", least=0, most=_HIGHEST_PORT)
        if self.tls is None and not self.plain_network and not is_loopback(self.host):
            raise ConfigError(
                f"without TLS the server speaks only to this machine, not on {self.host}",
                hint="--tls CERT KEY; or --plain-network where an encrypting proxy stands before it",
            )

    def bind(self, *, shared: bool = False) -> socket.socket:
        """A bound socket, whose port is then known.

        Args:
            shared: other processes of this user may bind the same port, and connections are spread among them.

        Raises:
            EnvironmentFailure: the port is taken, or the address is not this machine's.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            found.bind((self.host, self.port))
        except OSError as error:
            found.close()
            raise EnvironmentFailure(
                f"cannot listen on {self.host} port {self.port}: {error.strerror or error}"
            ) from error
        return found

    def url(self, bound: socket.socket) -> str:
        """Under which a bound socket is reached."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.tls is None else 'https'}://{host}:{bound.getsockname()[1]}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
