"""Sealed models: a package as one encrypted file that its recipients can open, whole or layer by layer.

    hauberk.protection.seal.seal("runs/first/hardened", "model.sealed", age.read_recipients("me.key.pub"))
    model = hauberk.protection.seal.open_model("model.sealed", age.read_identities("me.key"))

The file is an age header, which wraps one key for many readers, and FLOE messages, one for each tensor
(docs/spec/sealed-model.md). What loads tensors needs torch and is imported when it is used; the rest does
without.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hauberk.protection.seal.inspecting import Outside, inspect
    from hauberk.protection.seal.models import open_model, open_tensor, open_tensors
    from hauberk.protection.seal.opening import Opened, check, extract
    from hauberk.protection.seal.rewrapping import Rewrapped, reseal, rewrap
    from hauberk.protection.seal.sealing import Sealed, seal

_WHERE = {
    "Opened": "opening",
    "Outside": "inspecting",
    "Rewrapped": "rewrapping",
    "Sealed": "sealing",
    "check": "opening",
    "extract": "opening",
    "inspect": "inspecting",
    "open_model": "models",
    "open_tensor": "models",
    "open_tensors": "models",
    "reseal": "rewrapping",
    "rewrap": "rewrapping",
    "seal": "sealing",
}

__all__ = [
    "Opened",
    "Outside",
    "Rewrapped",
    "Sealed",
    "check",
    "extract",
    "inspect",
    "open_model",
    "open_tensor",
    "open_tensors",
    "reseal",
    "rewrap",
    "seal",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'hauberk.protection.seal' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
