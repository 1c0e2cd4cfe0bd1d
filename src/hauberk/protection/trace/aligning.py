"""Puts a leaked tensor back in the original's order and scale, where channels were permuted or layers rescaled.

Permuting the units of a layer, or multiplying a unit's weights and dividing the next layer's by the same,
changes no answer and moves every weight. Each tensor is put in order for itself, without knowing how layers
hang together: as rows (outputs) and columns (inputs), the leaked one is the original with both permuted and
multiplied.

1. Both are balanced: rows and columns are divided until all have the same mean square, which takes multipliers
   out.
2. Rows are recognised by their sorted entries, which do not depend on the order of columns.
3. Columns are recognised by their entries in the rows that were, then rows again in the same way.
4. What is left of multipliers is the median ratio of each row and column.

A tensor that is in order already stays as it is, but for multipliers far from 1. Recipients' code words are not
looked at, so accusations stay as sure as they were.

Limits: finds no units that were added or merged, no negative multipliers, and no order within channels. Where
noise hides which unit is which, weights count as unread.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_AS_IT_WAS = 0.9  # correlation above which nothing needs to be put back
_IN_ORDER = 0.5  # correlation of balanced tensors above which the order is the original's
_LOUD = 20.0  # times the median size: no trained weight
_ROUNDS = 3
_BALANCING = 20
_NEAR_ONE = 0.2  # multipliers that training may bring about by itself, as logarithms
_POLISHING = 12
_POLISHED = 1e-3


def located(leaked: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The leaked counterparts of the original's ``weights``, by the original's names, each ``aligned``.

    A tensor is taken by its name, or else by its shape: of several that are left, the one that is most like it.
    """
    own = {name for name, one in weights.items() if name in leaked and leaked[name].shape == one.shape}
    found = {name: aligned(leaked[name], weights[name]) for name in own}
    left = {name: one for name, one in leaked.items() if name not in own and one.is_floating_point()}
    for name, weight in weights.items():
        if name in own:
            continue
        tried = {other: aligned(one, weight) for other, one in left.items() if one.shape == weight.shape}
        likeness = {other: _likeness(weight.double(), one.nan_to_num()) for other, one in tried.items()}
        best = max(likeness, key=lambda other: likeness[other], default=None)
        if best is not None and likeness[best] > _IN_ORDER:
            found[name] = tried[best]
            del left[best]
    return found


def aligned(leaked: Tensor, original: Tensor) -> Tensor:
    """The leaked tensor in the original's order and scale, float64; NaN where a unit was not recognised.

    Args:
        leaked, original: of the same shape, at least two axes.

    Cost: some passes over a tensor that was changed much; a few products of the matrix with itself where units
        were permuted.
    """
    ours = original.double().flatten(2) if original.ndim > 2 else original.double()[..., None]
    theirs = leaked.detach().cpu().double().reshape(ours.shape)  # (rows, columns, taps)
    theirs = torch.where(theirs.isfinite(), theirs, 0.0)
    if _likeness(ours, theirs) > _AS_IT_WAS:
        return theirs.reshape(original.shape)
    first, second = _balanced(ours), _balanced(theirs)
    like = _likeness(first, second)
    if like < _IN_ORDER:
        rows, columns = _order(first, second)
        if _likeness(first, _placed(second, rows, columns).nan_to_num()) > max(like, _IN_ORDER):
            return _rescaled(_placed(theirs, rows, columns), ours).reshape(original.shape)
    return _rescaled(theirs, ours).reshape(original.shape)


def _balanced(one: Tensor) -> Tensor:
    """Rows and columns divided by their root mean squares in turn, after cutting what is too loud."""
    size = one.abs()
    limit = _LOUD * float(size[size > 0].median()) if (size > 0).any() else 1.0
    made = one.clamp(-limit, limit)
    for _ in range(_BALANCING):
        made = made / made.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-12)
        made = made / made.square().mean((0, 2), keepdim=True).sqrt().clamp_min(1e-12)
    return made


def _likeness(first: Tensor, second: Tensor) -> float:
    """Correlation of two tensors, place by place."""
    return float((first * second).sum() / (first.norm() * second.norm()).clamp_min(1e-12))


def _order(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Where the rows and columns of ``first`` are in ``second``; -1 for those that were not recognised."""
    rows = _partners(first.sort(dim=1).values.flatten(1), second.sort(dim=1).values.flatten(1))
    columns = torch.full((first.shape[1],), -1)
    for _ in range(_ROUNDS):
        known = rows >= 0
        columns = _partners(
            first[known].transpose(0, 1).flatten(1), second[rows[known]].transpose(0, 1).flatten(1)
        )
        seen = columns >= 0
        rows = _partners(first[:, seen].flatten(1), second[:, columns[seen]].flatten(1))
    return rows, columns


def _placed(one: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    made = one[rows][:, columns]
    made[rows < 0] = torch.nan
    made[:, columns < 0] = torch.nan
    return made


def _partners(first: Tensor, second: Tensor) -> Tensor:
    """For each row of ``first`` the nearest of ``second``, if that one's nearest is it too; else -1."""
    if first.shape[1] == 0:
        return torch.full((len(first),), -1)
    apart = torch.cdist(first, second)
    there, back = apart.argmin(1), apart.argmin(0)
    return torch.where(back[there] == torch.arange(len(first)), there, -1)


def _rescaled(theirs: Tensor, ours: Tensor) -> Tensor:
    """Without the multipliers of rows and columns, if there are any: a median polish of the ratios."""
    telling = ours.abs() > ours.square().mean().sqrt() / 2  # small weights say little of a ratio
    made, first = theirs, True
    for _ in range(_POLISHING):
        rows = _factors(made, ours, telling)
        columns = _factors(
            (made / rows[:, None, None]).transpose(0, 1), ours.transpose(0, 1), telling.transpose(0, 1)
        )
        far = max(float(rows.log().abs().max()), float(columns.log().abs().max()))
        if far < (_NEAR_ONE if first else _POLISHED):
            break
        made, first = made / rows[:, None, None] / columns[None, :, None], False
    return made


def _factors(made: Tensor, ours: Tensor, telling: Tensor) -> Tensor:
    """The median ratio of each row, 1 where there is none."""
    ratios = torch.where(telling & (made != 0), made / ours, torch.nan).flatten(1)
    factors = ratios.nanmedian(dim=1).values
    return torch.where(factors > 0, factors, 1.0)
