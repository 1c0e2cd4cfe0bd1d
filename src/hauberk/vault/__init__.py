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
    from hauberk.vault.gate import Gate, OwnerGate
    from hauberk.vault.making import create_vault, upgrade_vault
    from hauberk.vault.place import Vault, open_vault

_WHERE = {
    "Gate": "gate",
    "OwnerGate": "gate",
    "Vault": "place",
    "create_vault": "making",
    "open_vault": "place",
    "upgrade_vault": "making",
}

__all__ = ["Gate", "OwnerGate", "Vault", "create_vault", "open_vault", "upgrade_vault"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'hauberk.vault' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
