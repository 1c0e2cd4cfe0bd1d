"""The guard: notices callers who search, steal or probe, and treats them by policy.

Names are resolved when first used: who only reads a policy must not load metrics, whose files are chosen when
they are loaded (``serving.workers``).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hauberk.serving.guard.alerts import Alert, AlertSink, CountSink, LogSink, Sinks
    from hauberk.serving.guard.guard import Guard, Verdict
    from hauberk.serving.guard.policy import Action, Finding, GuardPolicy
    from hauberk.serving.guard.store import GuardStore

_WHERE = {
    **dict.fromkeys(("Alert", "AlertSink", "CountSink", "LogSink", "Sinks"), "alerts"),
    **dict.fromkeys(("Guard", "Verdict"), "guard"),
    **dict.fromkeys(("Action", "Finding", "GuardPolicy"), "policy"),
    "GuardStore": "store",
}

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


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
