"""What a model package's manifest is called, and how it vouches for itself.

Apart from the packages themselves (``hauberk.models.package``), so that who seals them needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hauberk.core.canonical import digest
from hauberk.core.errors import IntegrityError

FORMAT = "hauberk-model/1"
MANIFEST = "model.json"
WEIGHTS = "weights.safetensors"

_CONTRACT = ("architecture", "input", "outputs", "labels", "defences")


def check_digest(manifest: Mapping[str, Any], *, where: str) -> None:
    """Refuse a manifest whose own digest is not that of the rest of it.

    Raises:
        IntegrityError: it was changed after it was written.
    """
    body = {key: value for key, value in manifest.items() if key != "digest"}
    if digest(body) != manifest.get("digest"):
        raise IntegrityError(f"{where} was changed after the package was written: its digest does not match")


def check_model(manifest: Mapping[str, Any], *, where: str) -> str:
    """The model's digest, over the contract and the listed weights.

    Raises:
        IntegrityError: the manifest names another model.
    """
    contract = {key: manifest[key] for key in _CONTRACT if key in manifest}
    found = digest({**contract, "weights": f"sha256:{manifest['files'][WEIGHTS]['sha256']}"})
    if found != manifest.get("model"):
        raise IntegrityError(f"{where} names another model than the one it describes")
    return found
