"""A leaked model's weights from a package, a safetensors file or a state dict. Nothing is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from hauberk.core.errors import DataError
from hauberk.models import read
from hauberk.models.importing.archive import kind_of
from hauberk.models.importing.state_dict import read_torch_file
from hauberk.models.package import MANIFEST, WEIGHTS

_NESTS = ("state_dict", "model_state_dict", "model", "net")
_PREFIXES = ("module.", "_orig_mod.")  # of data-parallel training, of a Classifier, of torch.compile


def leaked_weights(path: str | Path) -> dict[str, Tensor]:
    """Tensors by name.

    Raises:
        DataError: nothing is there, or it holds no weights that can be read by name.
        IntegrityError: a damaged package, or a pickle that would run code.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / MANIFEST).exists():
            raise DataError(f"{path} is no model package (a folder with {MANIFEST})")
        read(path)
        return _safetensors(path / WEIGHTS)
    kind = kind_of(path)
    if kind == "safetensors":
        return _unprefixed(_safetensors(path))
    if kind == "torch":
        return _unprefixed(_unnested(read_torch_file(path), path))
    raise DataError(
        f"{path} does not hold weights by the original's names",
        hint="give a package, a .safetensors file or a state dict",
    )


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(safetensors.torch.load_file(path))
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise DataError(f"{path} is not a whole safetensors file: {error}") from error


def _unnested(found: Any, path: Path) -> dict[str, Tensor]:
    if isinstance(found, Mapping):
        if found and all(isinstance(one, Tensor) for one in found.values()):
            return {str(name): one for name, one in found.items()}
        for name in _NESTS:
            if isinstance(found.get(name), Mapping):
                return _unnested(found[name], path)
    raise DataError(f"{path} holds no state dict (names to tensors)")


def _unprefixed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES:
        if weights and all(name.startswith(prefix) for name in weights):
            return _unprefixed({name.removeprefix(prefix): one for name, one in weights.items()})
    return weights
