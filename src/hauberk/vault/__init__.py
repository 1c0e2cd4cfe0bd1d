"""Where model packages, evidence and identities live.

    with hauberk.vault.open_vault("vault") as vault:
        hauberk.vault.push(vault, "models/hard", "digits")
        classifier = hauberk.vault.load(vault, "digits@production")

A vault is a folder with its settings and its key; database, artifacts and ledger lie beside them or elsewhere.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hauberk.vault.collecting import collect
    from hauberk.vault.gate import Gate, OwnerGate
    from hauberk.vault.loading import load
    from hauberk.vault.making import create_vault, upgrade_vault
    from hauberk.vault.place import Vault, open_vault
    from hauberk.vault.promoting import Promotion, promote
    from hauberk.vault.pulling import Pulled, pull
    from hauberk.vault.pushing import Pushed, push
    from hauberk.vault.registry import Version
    from hauberk.vault.revoking import revoke
    from hauberk.vault.settings import Policy
    from hauberk.vault.telling import settle

_WHERE = {
    "Gate": "gate",
    "OwnerGate": "gate",
    "Policy": "settings",
    "Promotion": "promoting",
    "Pulled": "pulling",
    "Pushed": "pushing",
    "Vault": "place",
    "Version": "registry",
    "collect": "collecting",
    "create_vault": "making",
    "load": "loading",
    "open_vault": "place",
    "promote": "promoting",
    "pull": "pulling",
    "push": "pushing",
    "revoke": "revoking",
    "settle": "telling",
    "upgrade_vault": "making",
}

__all__ = [
    "Gate",
    "OwnerGate",
    "Policy",
    "Promotion",
    "Pulled",
    "Pushed",
    "Vault",
    "Version",
    "collect",
    "create_vault",
    "load",
    "open_vault",
    "promote",
    "pull",
    "push",
    "revoke",
    "settle",
    "upgrade_vault",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'hauberk.vault' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
