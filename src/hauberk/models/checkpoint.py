"""Where a training run stands, in one safetensors file: it is whole or the one before it, and no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hauberk.core.canonical import digest, parse_json
from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.core.files import write_atomic
from hauberk.models.classifier import weights_digest

_KEY = "hauberk-checkpoint/1"


@dataclass(frozen=True)
class Checkpoint:
    """Args:
    tensors: groups of tensors, such as ``model``, ``average``, ``best`` and ``optimizer``.
    facts: JSON: the next epoch, the history so far, the best score.
    """

    tensors: Mapping[str, Mapping[str, Tensor]]
    facts: Mapping[str, Any]


def save(path: Path, checkpoint: Checkpoint, *, identity: str) -> None:
    """Replace the file at ``path``; ``identity`` names the run it belongs to."""
    flat = {
        f"{group}/{name}": tensor.detach().cpu().contiguous().clone()
        for group, tensors in checkpoint.tensors.items()
        for name, tensor in tensors.items()
    }
    facts = {"identity": identity, **checkpoint.facts}
    seal = digest({"facts": facts, "tensors": weights_digest(flat)})
    metadata = {_KEY: json.dumps({"facts": facts, "digest": seal})}
    write_atomic(path, safetensors.torch.save(flat, metadata=metadata))


def load(path: Path, *, identity: str) -> Checkpoint | None:
    """What ``save`` wrote, or None if there is nothing.

    Raises:
        IntegrityError: the file is damaged.
        ConfigError: it belongs to a run with other settings, data or seed.
    """
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            record = parse_json((file.metadata() or {})[_KEY].encode(), where=str(path))
            flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        facts = record["facts"]
        if digest({"facts": facts, "tensors": weights_digest(flat)}) != record["digest"]:
            raise DataError("its digest does not match")
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            f"checkpoint {path} is damaged ({error})", hint="delete it to start again"
        ) from error
    if facts.pop("identity") != identity:
        raise ConfigError(
            f"checkpoint {path} belongs to a run with other settings, data or seed",
            hint="delete it, or use another folder",
        )
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in flat.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = tensor
    return Checkpoint(groups, facts)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's running state as flat tensors; its settings come from the plan."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}/{name}": torch.as_tensor(value)
        for index, values in state.items()
        for name, value in values.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, flat: Mapping[str, Tensor]) -> None:
    """Put back what ``optimizer_tensors`` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in flat.items():
        index, _, name = key.partition("/")
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
