"""The guard: notices callers who search, steal or probe, and treats them by policy."""

from hauberk.serving.guard.alerts import Alert, AlertSink, CountSink, LogSink, Sinks
from hauberk.serving.guard.guard import Guard, Verdict
from hauberk.serving.guard.policy import Action, Finding, GuardPolicy
from hauberk.serving.guard.store import GuardStore

__all__ = [
    "Action",
    "Alert",
    "AlertSink",
    "CountSink",
    "Finding",
    "Guard",
    "GuardPolicy",
    "GuardStore",
    "LogSink",
    "Sinks",
    "Verdict",
]
