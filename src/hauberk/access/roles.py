"""The built-in roles: least rights for the work that people do with models."""

from __future__ import annotations

from collections.abc import Mapping

from hauberk.access.words import Rule


def _allow(*actions: str) -> tuple[Rule, ...]:
    return tuple(Rule("allow", one) for one in actions)


BUILT_IN: Mapping[str, tuple[Rule, ...]] = {
    "viewer": _allow("model.view"),
    "predictor": _allow("model.view", "model.predict"),
    "auditor": _allow("model.view", "model.evaluate", "access.view", "audit.read"),
    "trainer": _allow(
        "model.view", "model.pull", "model.predict", "model.push", "model.evaluate", "ledger.append"
    ),
    "release-manager": _allow(
        "model.view", "model.pull", "model.evaluate", "model.promote", "model.revoke", "ledger.append"
    ),
    "analyst": _allow("data.query"),
    "data-steward": _allow("data.manage", "data.query", "data.reidentify"),
    "admin": _allow("*"),
}
