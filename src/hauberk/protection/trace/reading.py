"""What a leaked model says in each position of the code: a real number, and how far noise may have moved it.

The leaked weights minus the original's, in amplitudes and with the carriers' signs taken off, are the
colluders' bits (-1 or 1, or their mean) plus noise: whatever training, rounding and the like did to each
weight. Weights that moved a lot count little. How much noise there is, is estimated for each row and column
of a tensor, since training moves some units far and others not at all. Weights that were pruned to exactly 0
say nothing and are left out.

Nothing here knows any recipient's code word: that is what makes an accusation's probability of error exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hauberk.core.errors import UnsupportedModel
from hauberk.crypto.secret import Secret
from hauberk.models import Classifier
from hauberk.protection.trace.aligning import located
from hauberk.protection.trace.carriers import Carrier, carriers, marked_tensors
from hauberk.protection.trace.code import CodePlan, Floats

_ENOUGH = 0.25  # of the marked weights must be there
_QUIET = 1.0  # noise below the mark's own size is not told apart from it
_FAR = 3.0  # times the noise: beyond, a weight was moved by something else


@dataclass(frozen=True, eq=False)
class Reading:
    """The word that a leaked model carries.

    Args:
        word: float64 ``(length,)``: about -1 to 1 where all colluders' bits come through, near 0 where none do.
        noise: float64 ``(length,)``: variance of the noise on each; infinite where nothing could be read.
        found: share of the marked weights that could be compared.
    """

    word: Floats
    noise: Floats
    found: float


def read_word(
    leaked: Mapping[str, Tensor], original: Classifier, key: Secret, plan: CodePlan, strength: float
) -> Reading:
    """Read a leaked model's word.

    Args:
        leaked: its weights by name.

    Raises:
        UnsupportedModel: too few of the marked tensors are there, by name or by shape.
    """
    weights = marked_tensors(original)
    there = located(leaked, weights)
    counts = {name: one.numel() for name, one in weights.items()}
    found = sum(counts[name] for name in there) / sum(counts.values())
    if found < _ENOUGH:
        lacking = next(name for name in weights if name not in there)
        raise UnsupportedModel(
            "the leaked model has another architecture than the original: only "
            f"{found:.0%} of the marked weights are there; the first that are not: {lacking} "
            f"{tuple(weights[lacking].shape)}",
            found=found,
        )
    total, mass = np.zeros(plan.length), np.zeros(plan.length)
    for one in carriers(weights, key, model=original.digest, length=plan.length, strength=strength):
        if one.name in there:
            values, trust = _read_tensor(there[one.name], weights[one.name].double(), one)
            where = one.positions.flatten().numpy()
            total += np.bincount(where, (values * trust).flatten().numpy(), plan.length)
            mass += np.bincount(where, trust.flatten().numpy(), plan.length)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Reading(np.where(mass > 0, total / mass, 0.0), 1 / mass, found)


def _read_tensor(leaked: Tensor, original: Tensor, carrier: Carrier) -> tuple[Tensor, Tensor]:
    """Each weight's bit with its noise, and how far to trust it: one over the noise's variance."""
    says = carrier.signs != 0
    says &= leaked.isfinite() & (leaked != 0)
    moved = torch.where(says, (leaked - original) / carrier.amplitude, 0.0)
    noise = _noise(moved.abs().flatten(1), says.flatten(1)).view(moved.shape)
    moved = moved.clamp(-1 - _FAR * noise, 1 + _FAR * noise)
    return moved * carrier.signs, torch.where(says, 1 / noise.square(), 0.0)


def _noise(size: Tensor, says: Tensor) -> Tensor:
    """Spread of each weight's noise, from the mean movement of its row and of its column."""
    shown = says.double()
    whole = (size * shown).sum() / shown.sum().clamp_min(1)
    rows = (size * shown).sum(1) / shown.sum(1).clamp_min(1)
    columns = (size * shown).sum(0) / shown.sum(0).clamp_min(1)
    return (rows[:, None] * columns[None, :] / whole.clamp_min(1e-12)).clamp_min(_QUIET)
