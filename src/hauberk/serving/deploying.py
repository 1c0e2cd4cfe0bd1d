"""That a server began to serve a version: a statement of kind ``deployment`` in the vault's ledger.

It is written before the version takes its place; where it cannot be written, the version is not served. The
statement names model and version; who served it where is salted, as all names of people and machines are.
"""

from __future__ import annotations

from sqlalchemy import select

from hauberk.vault import Vault, registry, schema
from hauberk.vault.names import Reference
from hauberk.vault.registry import DEPLOYMENT
from hauberk.vault.telling import note, settle, statement

SERVED = "served by "
"""How the detail of such an event begins; the server's name follows."""


class Deployments:
    """Tells the ledger what one server serves.

    Args:
        server: what it is called, such as its machine. All its processes, also after a restart, tell a version
            once: what they tell is a change.
    """

    def __init__(self, vault: Vault, server: str) -> None:
        self._vault, self._detail = vault, f"{SERVED}{server}"

    def begun(self, model: str, number: int) -> None:
        """A version is about to be served.

        Raises:
            EnvironmentFailure, IntegrityError: the ledger does not take it.
        """
        vault, by, at_ms = self._vault, self._vault.gate.actor, self._vault.now_ms()
        with vault.database.write() as connection:
            registry.lock(connection)
            events = schema.events
            newest = (
                select(events.c.number)
                .where(events.c.model == model, events.c.what == DEPLOYMENT, events.c.detail == self._detail)
                .order_by(events.c.id.desc())
                .limit(1)
            )
            if connection.execute(newest).scalar() == number:
                return
            version = registry.find(connection, Reference(model, number=number))
            said = statement(DEPLOYMENT, version.subject, model, at_ms, version=number, serving=True)
            private = {"by": by, "server": self._detail}
            note(connection, said, private, detail=self._detail, by=by, at_ms=at_ms, random=vault.random)
        settle(vault)
