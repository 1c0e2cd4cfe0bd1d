"""Weights alone: ``.safetensors``, or a torch file with a state dict, into a network that a factory makes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from hauberk.core.errors import ConfigError, DataError, HauberkError, IntegrityError, UnsupportedModel
from hauberk.models import architectures, factories
from hauberk.models.importing import archive
from hauberk.models.importing.common import ImportedModel, Request, finish

_NESTS = ("state_dict", "model_state_dict", "model", "net")
_SHOWN = 4


def import_state_dict(request: Request, kind: str) -> ImportedModel:
    """The network of ``request.factory`` filled with the file's weights.

    Raises:
        ConfigError: no factory or no input shape, or a factory that does not exist.
        IntegrityError: the file's pickle would run code.
        UnsupportedModel: weights that do not fit the factory's network.
    """
    if request.factory is None:
        raise ConfigError(
            f"{request.path} holds weights without a network",
            hint="name what builds it: factory='module:function' (--factory), or a built-in name such as 'cnn'",
        )
    if request.input_shape is None:
        raise ConfigError(
            f"{request.path} does not say what images look like",
            hint="give input_shape, such as (1, 28, 28) (--input-shape 1x28x28)",
        )
    notes: list[str] = []
    weights = _read(request.path, kind, notes)
    module, architecture = _make(request, weights)
    _fill(module, weights, request, notes)
    imported = finish(
        request,
        module,
        kind="safetensors" if kind == "safetensors" else "torch",
        architecture=architecture,
        input_shape=request.input_shape,
        conversions=notes,
    )
    if ":" in request.factory:
        factories.trust(request.factory)  # naming it was the permission; it built and ran
    return imported


def _read(path: Path, kind: str, notes: list[str]) -> dict[str, Tensor]:
    if kind == "safetensors":
        return read_safetensors(path)
    weights, nests = unnested(read_torch_file(path))
    if weights is None:
        raise DataError(
            f"{path} holds no state dict (names to tensors)",
            hint="torch.save(model.state_dict(), path)",
        )
    notes += [f"the weights stood under '{name}'" for name in nests]
    if all(name.startswith("module.") for name in weights):
        notes.append("the prefix 'module.' (of data-parallel training) was taken off")
        weights = {name.removeprefix("module."): one for name, one in weights.items()}
    return weights


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        DataError: a damaged file.
    """
    try:
        return dict(safetensors.torch.load_file(path))
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise DataError(f"{path} is not a whole safetensors file: {error}") from error


def read_torch_file(path: Path) -> Any:
    """What ``torch.save`` wrote, if it is nothing but tensors in plain containers.

    Raises:
        IntegrityError: its pickle would run code.
        UnsupportedModel: a TorchScript archive.
        DataError: a damaged file.
    """
    with archive.opened(path) as zipped:
        names = zipped.namelist()
        if any("/code/" in name or name.endswith("/constants.pkl") for name in names):
            raise UnsupportedModel(
                f"{path} is a TorchScript archive, which carries code",
                hint="where the model was made: torch.export.save(torch.export.export(...), 'model.pt2')",
            )
        pickles = [name for name in names if name.endswith(".pkl")]
        for name in pickles:
            archive.refuse_unsafe_pickle(
                archive.read_entry(zipped, name),
                f"{path} ({name})",
                "save only the weights where the model was made: torch.save(model.state_dict(), path)",
            )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise DataError(f"{path} is damaged: {str(error).splitlines()[0]}") from error
    except Exception as error:  # the unpickler's own error type has no public name
        raise IntegrityError(f"{path} holds more than weights: {str(error).splitlines()[0]}") from error


def unnested(found: Any) -> tuple[dict[str, Tensor] | None, list[str]]:
    """The state dict in what a torch file held, or None; and the names it stood under, outermost first."""
    nests: list[str] = []
    while isinstance(found, Mapping):
        if found and all(isinstance(one, Tensor) for one in found.values()):
            return {str(name): one for name, one in found.items()}, nests
        inner = next((name for name in _NESTS if isinstance(found.get(name), Mapping)), None)
        if inner is None:
            break
        nests.append(inner)
        found = found[inner]
    return None, nests


def _make(request: Request, weights: Mapping[str, Tensor]) -> tuple[nn.Module, dict[str, Any]]:
    factory, args = str(request.factory), dict(request.args)
    if ":" in factory:
        return factories.call(factory, args), {"factory": factory, "args": args}
    if request.labels is None:
        classes = _guess_classes(weights)
    else:
        classes = request.labels if isinstance(request.labels, int) else len(request.labels)
    assert request.input_shape is not None
    return architectures.build(factory, request.input_shape, classes, args), {"name": factory, "args": args}


def _guess_classes(weights: Mapping[str, Tensor]) -> int:
    matrices = [one for one in weights.values() if one.ndim == 2]
    if not matrices:
        raise ConfigError("the weights do not tell how many classes there are", hint="give labels")
    return int(matrices[-1].shape[0]) if len(matrices) else 0


def _fill(module: nn.Module, weights: Mapping[str, Tensor], request: Request, notes: list[str]) -> None:
    expected = module.state_dict()
    missing = [name for name in expected if name not in weights]
    unexpected = [name for name in weights if name not in expected]
    wrong = [
        f"{name} {tuple(one.shape)} instead of {tuple(expected[name].shape)}"
        for name, one in weights.items()
        if name in expected and one.shape != expected[name].shape
    ]
    # counters that older versions did not keep
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    problems = [
        f"{what}: {', '.join(names[:_SHOWN])}{' …' if len(names) > _SHOWN else ''}"
        for what, names in (("missing", missing), ("unexpected", unexpected), ("of the wrong shape", wrong))
        if names
    ]
    if problems:
        raise UnsupportedModel(
            f"{request.path}: the weights do not fit the network of '{request.factory}'; {'; '.join(problems)}",
            missing=missing,
            unexpected=unexpected,
        )
    kinds = {one.dtype for one in weights.values() if one.is_floating_point()}
    if kinds & {torch.float16, torch.bfloat16}:
        notes.append("half-precision weights were widened to float32")
    try:
        module.load_state_dict(dict(weights), strict=False)
    except HauberkError:
        raise
    except RuntimeError as error:
        raise UnsupportedModel(f"{request.path}: {str(error).splitlines()[-1].strip()}") from error
