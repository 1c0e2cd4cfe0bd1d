"""A short training for a part that learns by itself, apart from the network behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from hauberk.core.seeds import derive_seed
from hauberk.models.twin import passes

Learner = TypeVar("Learner", bound=nn.Module)
_BATCH = 64


def fit_module(
    make: Callable[[], Learner],
    loss: Callable[[Learner, Tensor, torch.Generator], Tensor],
    count: int,
    *,
    epochs: int,
    seed: int,
    learning_rate: float = 2e-3,
) -> Learner:
    """A module after Adam with a rate that falls to 0 along a half cosine; the same for the same seed.

    Args:
        make: builds it; its random weights come from ``seed``.
        loss: of the module on some rows (int64 indices below ``count``), with randomness of its own.
        count: how many rows there are.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        module = make()
    generator = torch.Generator().manual_seed(derive_seed(seed, "order"))
    optimizer = torch.optim.Adam(module.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        order = torch.randperm(count, generator=generator)
        for part in passes(count, _BATCH):
            optimizer.zero_grad(set_to_none=True)
            loss(module, order[part], generator).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    for parameter in module.parameters():
        parameter.grad = None
    return module.eval()
