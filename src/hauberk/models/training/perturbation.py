"""Adversarial weight perturbation (Wu, Xia, Wang, NeurIPS 2020): gradients at weights moved up the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hauberk.models.training.team import ALONE, Team

_TINY = 1e-12


@contextmanager
def moved_weights(
    model: nn.Module, loss: Callable[[], Tensor], gamma: float, team: Team = ALONE
) -> Iterator[None]:
    """While active, each weight of two dimensions or more stands ``gamma`` of its norm up the loss's slope.

    Args:
        loss: of the batch at the present weights; called once.
        gamma: share of each tensor's norm; 0 does nothing at all.
        team: who holds the other shares of the batch; the slope is that of the sum of their losses.

    Where the slope is not finite, nothing is moved: the step that follows will say so.
    """
    if not gamma:
        yield
        return
    weights = [one for one in model.parameters() if one.requires_grad and one.ndim > 1]
    slopes = torch.autograd.grad(loss(), weights, allow_unused=True)
    team.add_up([one for one in slopes if one is not None])
    before = [one.detach().clone() for one in weights]
    with torch.no_grad():
        for weight, slope in zip(weights, slopes, strict=True):
            if slope is not None and bool(torch.isfinite(slope).all()):
                weight.add_(slope * (gamma * weight.norm() / (slope.norm() + _TINY)))
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, kept in zip(weights, before, strict=True):
                weight.copy_(kept)
