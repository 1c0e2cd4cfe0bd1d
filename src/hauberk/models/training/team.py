"""Several workers at one training run: each takes its share of every batch, and what they find is added up.

All workers hold the same weights and draw the same batches and the same streams for each sample, so they craft
the same points as one worker would. What they add up differs from one worker's by the order of float sums only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from hauberk.compute import WorkerLost

_Norm = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True)
class Team:
    """Who works at this run, as one of them sees it; by default nobody else.

    With more than one, ``torch.distributed`` must have its process group.

    Args:
        rank: this worker's number; 0 leads.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    def share(self, count: int) -> slice:
        """This worker's rows of a batch of ``count``; shares differ by one row at most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def portion(self, count: int) -> float:
        """This worker's share as a part of the whole: the weight of its mean in the batch's mean."""
        mine = self.share(count)
        return float(mine.stop - mine.start) / count

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all workers, in place, in one message.

        Raises:
            WorkerLost: another one has died or gone.
        """
        if self.size == 1 or not tensors:
            return
        message = torch.cat([one.detach().reshape(-1) for one in tensors])
        _all_reduce(message)
        for one, total in zip(tensors, torch.split(message, [one.numel() for one in tensors]), strict=True):
            one.detach().copy_(total.view_as(one))

    def total(self, number: float, device: torch.device) -> float:
        """The sum of a number over all workers."""
        if self.size == 1:
            return number
        box = torch.tensor([number], dtype=torch.float64, device=device)
        self.add_up([box])
        return box.item()

    @contextmanager
    def joined_norms(self, model: nn.Module) -> Iterator[None]:
        """While active, batch norm in training mode sees the whole batch instead of this worker's share."""
        norms = [] if self.size == 1 else [one for one in model.modules() if isinstance(one, _Norm)]
        for norm in norms:
            norm.forward = partial(_joined, norm)  # type: ignore[method-assign]
        try:
            yield
        finally:
            for norm in norms:
                del norm.forward


ALONE = Team()


def _all_reduce(message: Tensor) -> None:
    try:
        dist.all_reduce(message)
    except RuntimeError as error:
        last = (str(error).splitlines() or [""])[0]
        raise WorkerLost(f"a worker of this training has gone: {last}") from error


class _Sum(torch.autograd.Function):
    """A sum over workers that gradients go back through: each one's input moves every one's output."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        _all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        _all_reduce(total)
        return total


def _joined(norm: _Norm, x: Tensor) -> Tensor:
    """Batch norm over all workers' shares: the textbook's two passes, with sums added up."""
    if not norm.training:
        return type(norm).forward(norm, x)
    across = [0, *range(2, x.ndim)]
    shape = [1, -1] + [1] * (x.ndim - 2)
    wide = x.float()
    count = torch.tensor([x.numel() / x.shape[1]], device=x.device)
    _all_reduce(count)
    mean = _sum(wide.sum(across)) / count
    centred = wide - mean.view(shape)
    variance = _sum(centred.square().sum(across)) / count
    _track(norm, mean.detach(), variance.detach() * count / (count - 1))
    out = centred * torch.rsqrt(variance + norm.eps).view(shape)
    if norm.affine:
        out = out * norm.weight.view(shape) + norm.bias.view(shape)
    return out.to(x.dtype)


def _sum(x: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(x)  # type: ignore[no-untyped-call]
    return total


@torch.no_grad()
def _track(norm: _Norm, mean: Tensor, variance: Tensor) -> None:
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    share = 1 / norm.num_batches_tracked.item() if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_(variance.to(norm.running_var.dtype), share)
