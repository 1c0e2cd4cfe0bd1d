"""Shadow models: what the target would be like, had it seen other people's records.

Models come in pairs that share nothing: the second is trained on what the first was not. So every sample is
in the training set of exactly half of them, and no model sees more than another.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError, UnsupportedModel
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset
from hauberk.models import ARCHITECTURES, Classifier, architectures
from hauberk.models import checkpoint as checkpoints
from hauberk.models.training import TrainingPlan, train


def paired_halves(models: int, samples: int, *, seed: int) -> Tensor:
    """Who learns what: boolean ``(models, samples)``, each sample True in exactly half of the rows.

    Raises:
        ConfigError: an odd or too small number of models, or fewer than two samples.
    """
    if isinstance(models, bool) or not isinstance(models, int) or models < 2 or models % 2:
        raise ConfigError(
            f"shadow models come in pairs: their number must be even and at least 2, got {models!r}"
        )
    if samples < 2:
        raise ConfigError(f"{samples} samples cannot be halved")
    inside = torch.zeros(models, samples, dtype=torch.bool)
    for pair in range(models // 2):
        inside[2 * pair, _order(samples, derive_seed(seed, "pair", pair))[: samples // 2]] = True
        inside[2 * pair + 1] = ~inside[2 * pair]
    return inside


def half_and_half(pool: Dataset, *, seed: int) -> tuple[Dataset, Dataset]:
    """A random half to train a target on, and the other half: members and non-members of one distribution."""
    if len(pool) < 2:
        raise ConfigError(f"{pool.name} has {len(pool)} sample and cannot be halved")
    order = _order(len(pool), derive_seed(seed, "halves"))
    edge = len(pool) // 2
    first, second = (part.sort().values for part in (order[:edge], order[edge:]))
    return (
        pool.select(first, note=f"random half, seed {seed}"),
        pool.select(second, note=f"other half, seed {seed}"),
    )


def shadow_models(
    like: Classifier,
    pool: Dataset,
    inside: Tensor,
    plan: TrainingPlan,
    *,
    seed: int = 0,
    folder: str | Path | None = None,
    progress: Progress = SILENT,
) -> Iterator[Classifier]:
    """Models of the target's architecture, each trained on its part of the pool, one after the other.

    Args:
        like: the target, or an untrained classifier like it; only its form is used, not its weights.
        inside: boolean ``(models, len(pool))`` as ``paired_halves`` makes it.
        plan: how to learn; as the target did, or the models are no likeness of it.
        folder: where finished models are kept (``shadow-000.safetensors``, weights only) and found again by
            the same call: a stopped run loses at most the model it was at.

    Raises:
        UnsupportedModel: the network does not know how to start from fresh weights.
        ConfigError: ``inside`` does not fit the pool, or the folder holds models of another run.
        IntegrityError: a kept model is damaged.
        TrainingDiverged: as ``train``.
    """
    if inside.dtype != torch.bool or inside.ndim != 2 or inside.shape[1] != len(pool):
        raise ConfigError(
            f"inside must be boolean (models, {len(pool)}), got {inside.dtype} {tuple(inside.shape)}"
        )
    if not bool(inside.any(dim=1).all()):
        raise ConfigError("a shadow model without a single training sample")
    progress.begin("shadow models", len(inside))
    for number, rows in enumerate(inside):
        data = pool.select(rows.nonzero().squeeze(1), note=f"shadow {number}")
        own = derive_seed(seed, "shadow", number) % 2**53  # evidence is JSON
        file = None if folder is None else Path(folder) / f"shadow-{number:03d}.safetensors"
        yield _trained_once(_blank(like, own), data, plan, own, file)
        progress.advance(1, f"model {number + 1} of {len(inside)}")
    progress.end()


def _order(samples: int, seed: int) -> Tensor:
    return torch.randperm(samples, generator=torch.Generator().manual_seed(seed))


def _trained_once(
    blank: Classifier, data: Dataset, plan: TrainingPlan, seed: int, file: Path | None
) -> Classifier:
    """Trained now, or found in the file that an earlier call left."""
    identity = digest({"start": blank.digest, "data": data.digest, "plan": asdict(plan), "seed": seed})
    found = checkpoints.load(file, identity=identity) if file is not None else None
    if found is not None:
        blank.module.load_state_dict(dict(found.tensors["model"]))
        return blank
    trained = train(blank, data, plan, seed=seed, name="shadow")
    if file is not None:
        checkpoints.save(file, checkpoints.Checkpoint({"model": trained.weights()}, {}), identity=identity)
    return trained


def _blank(like: Classifier, seed: int) -> Classifier:
    """The same network with fresh weights, in eval mode."""
    fresh = copy.deepcopy(like).cpu()  # the same weights whatever the device
    fresh.evidence = ()
    made = like.architecture or {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if made.get("name") in ARCHITECTURES:
            fresh.module = architectures.build(
                made["name"], like.input_shape, like.num_classes, made.get("args", {})
            ).to(like.dtype)
        else:
            _reset(fresh.module)
    return fresh.to(like.device).requires_grad_(True).eval()


def _reset(network: nn.Module) -> None:
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
        elif any(True for _ in module.parameters(recurse=False)):
            raise UnsupportedModel(
                f"no shadow models of this network: {type(module).__name__} does not know how to reset its "
                "parameters",
                hint="give it a reset_parameters method, or use attacks without shadow models",
            )
