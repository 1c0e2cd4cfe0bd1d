"""The guard of a server of a vault: it remembers in the vault's database and tells the vault's trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hauberk.serving.guard.alerts import Alert, CountSink, ListSink, LogSink, Sinks
from hauberk.serving.guard.guard import Guard
from hauberk.serving.guard.policy import Action, GuardPolicy
from hauberk.serving.guard.rounds import Rounds
from hauberk.serving.guard.store import GuardStore
from hauberk.serving.watch import Watched

if TYPE_CHECKING:
    from hauberk.access import Access
    from hauberk.serving.metrics import Metrics
    from hauberk.vault import Vault

_KEY = b"guard of the server"
_BY = "guard"
_REFUSING = (Action.NEW_KEY, Action.BLOCK)


def guarded(vault: Vault, access: Access, policy: GuardPolicy, metrics: Metrics) -> Watched:
    """A guard whose verdicts, memory and alerts all processes that serve the vault share.

    Its key is made from the vault's, so that what one of them remembers means the same to the others.
    """
    fresh: list[Alert] = []
    sinks = Sinks((LogSink(), CountSink(metrics.registry), ListSink(fresh)))
    guard = Guard(policy, bytes(vault.keys.derive(_KEY)), sinks, clock=vault.clock)

    def record(alert: Alert) -> None:
        access.alert(
            alert.caller or "",
            _BY,
            alert.name,
            f"{alert.finding.value}: {alert.reason}",
            served=alert.action not in _REFUSING,
            detail=alert.action.value,
        )

    return Watched(guard, Rounds(GuardStore(vault.database, guard, alerts=fresh), record))
