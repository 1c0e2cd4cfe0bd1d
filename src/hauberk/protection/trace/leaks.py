"""A leaked model's weights from a package, a safetensors file or a state dict. Nothing is executed."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from hauberk.core.errors import DataError
from hauberk.core.manifest import MANIFEST, WEIGHTS
from hauberk.models import read
from hauberk.models.importing.archive import kind_of
from hauberk.models.importing.state_dict import read_safetensors, read_torch_file, unnested

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
        return read_safetensors(path / WEIGHTS)
    kind = kind_of(path)
    if kind == "safetensors":
        return _unprefixed(read_safetensors(path))
    if kind == "torch":
        weights, _nests = unnested(read_torch_file(path))
        if weights is None:
            raise DataError(f"{path} holds no state dict (names to tensors)")
        return _unprefixed(weights)
    raise DataError(
        f"{path} does not hold weights by the original's names",
        hint="give a package, a .safetensors file or a state dict",
    )


def _unprefixed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES:
        if weights and all(name.startswith(prefix) for name in weights):
            return _unprefixed({name.removeprefix(prefix): one for name, one in weights.items()})
    return weights
