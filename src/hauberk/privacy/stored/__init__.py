"""Encrypted data sets: sealed files and folders, encrypted Parquet, and a loader that decrypts as it reads.

    seal(["photos", "labels.csv"], "learning.sealed", age.read_recipients("me.key.pub"))
    check("learning.sealed", age.read_identities("me.key"))
    SealedDataset("learning.sealed", identities).batches(128)

A sealed file is a standard age v1 file, a sealed folder a tar archive in one: any age tool and any tar open
them (docs/spec/sealed-data.md). The loader needs torch and is imported when it is used; the rest does without.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hauberk.privacy.stored.opening import Opened, check, open_to
from hauberk.privacy.stored.reading import SealedReader
from hauberk.privacy.stored.sealing import SealedData, seal

if TYPE_CHECKING:
    from hauberk.privacy.stored.learning import SealedDataset

__all__ = ["Opened", "SealedData", "SealedDataset", "SealedReader", "check", "open_to", "seal"]


def __getattr__(name: str) -> Any:
    if name != "SealedDataset":
        raise AttributeError(f"module 'hauberk.privacy.stored' has no attribute '{name}'")
    return importlib.import_module(f"{__name__}.learning").SealedDataset
