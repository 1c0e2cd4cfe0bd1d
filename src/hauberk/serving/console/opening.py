"""The console of a server."""

from __future__ import annotations

from collections.abc import Callable

from hauberk.access import Access
from hauberk.access.sessions import Sessions
from hauberk.serving.address import Address
from hauberk.serving.console.application import Console
from hauberk.serving.console.kept import Kept
from hauberk.serving.console.viewer import Inside, Server
from hauberk.serving.metrics import Metrics
from hauberk.serving.rack import Rack
from hauberk.serving.watch import Watch
from hauberk.vault import Vault
from hauberk.vault.backup.restic import Repository


def console_of(
    vault: Vault, access: Access, address: Address, backups: Repository | None = None
) -> Callable[[Rack, Metrics, Watch], Console]:
    """What makes it, once the server is there.

    Args:
        address: where the server listens: over TLS, or behind a proxy that encrypts in its place, cookies are
            for TLS alone.
        backups: where the vault's are; None where that is nobody's business here.
    """

    def make(rack: Rack, metrics: Metrics, watch: Watch) -> Console:
        sessions = Sessions(vault.database, clock=vault.clock, random=vault.random)
        encrypted = address.tls is not None
        server, kept = Server(rack, metrics, watch), Kept.of(vault, metrics, backups)
        kept.history.begin()
        secure = encrypted or address.plain_network
        return Console(Inside(vault, access, sessions, server, kept, secure=secure, tls=encrypted))

    return make
