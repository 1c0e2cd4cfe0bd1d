"""Total variation: the input redrawn with as little contour as its likeness allows."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.settings import require_above_zero, require_count, require_within
from hauberk.models.parts.part import Gradient
from hauberk.models.parts.transformation import Transformation

_STEP = 8**-0.5  # both steps of the iteration; their product times the operator's norm, 8, must not exceed 1
_TINY = 1e-12  # a root has no slope at 0


class TotalVariation(Transformation):
    """Replaces ``x`` by ``z`` that makes ``|z - x|^2 / 2 + weight * TV(z)`` small, channel by channel.

    TV sums the lengths of the gradients of all pixels.

    Args:
        weight: of the variation; in the input's own scale.
        steps: of the primal-dual iteration; always so many, so that the answer is a function of the input.

    Cost: ``steps`` sweeps over the picture.
    Limits: attacks that do not know of it lose a part of their effect. The slope goes through all steps and is
        exact, so those who take it meet no obstacle; on sharp small pictures some real smoothing is left.
    Source: Guo, Rana, Cisse, van der Maaten: Countering adversarial images using input transformations, ICLR
        2018; the iteration is Chambolle and Pock's (J. Math. Imaging and Vision 2011, algorithm 1).
    """

    name: ClassVar[str] = "total-variation"

    def __init__(self, weight: float = 0.1, steps: int = 30) -> None:
        super().__init__()
        require_above_zero("weight", weight, self.name)
        require_count("steps", steps, self.name)
        self.weight, self.steps = weight, steps

    def args(self) -> dict[str, Any]:
        return {"weight": self.weight, "steps": self.steps}

    def trusted(self, x: Tensor) -> Tensor:
        """1 where the input is to be kept to, 0 where it is to be filled in; broadcastable to ``x``."""
        return torch.ones_like(x)

    def changed(self, x: Tensor) -> Tensor:
        trusted = self.trusted(x)
        pull = 1 + _STEP * trusted
        known = trusted * x
        kept = trusted.sum(dim=(2, 3), keepdim=True).clamp_min(1)
        z = ahead = known + (1 - trusted) * known.sum(dim=(2, 3), keepdim=True) / kept
        down, right = torch.zeros_like(x), torch.zeros_like(x)
        for _ in range(self.steps):
            down = down + _STEP * _differences(ahead, 2)
            right = right + _STEP * _differences(ahead, 3)
            length = ((down.square() + right.square() + _TINY).sqrt() / self.weight).clamp_min(1)
            down, right = down / length, right / length
            moved = (z + _STEP * (_divergence(down, right) + known)) / pull
            ahead, z = 2 * moved - z, moved
        return z


class DroppedTotalVariation(TotalVariation):
    """As ``TotalVariation`` of the pixels that are left when a share of them, drawn anew each time, is dropped.

    Args:
        drop: share of the pixels that are dropped and filled in from their surroundings.
    """

    name: ClassVar[str] = "total-variation-drop"
    gradient: ClassVar[Gradient] = "random"

    def __init__(self, weight: float = 0.1, steps: int = 30, drop: float = 0.3) -> None:
        super().__init__(weight, steps)
        require_within("drop", drop, self.name, "[0, 0.95]")
        self.drop = drop

    def args(self) -> dict[str, Any]:
        return {**super().args(), "drop": self.drop}

    def trusted(self, x: Tensor) -> Tensor:
        return (torch.rand_like(x[:, :1]) >= self.drop).to(x.dtype)  # all channels of a pixel at once


def _differences(z: Tensor, axis: int) -> Tensor:
    """To the next pixel along the axis; 0 at the last."""
    steps = z.diff(dim=axis)
    return F.pad(steps, (0, 0, 0, 1) if axis == 2 else (0, 1))


def _divergence(down: Tensor, right: Tensor) -> Tensor:
    """The negative adjoint of ``_differences``."""
    vertical = F.pad(down[:, :, :-1], (0, 0, 1, 0)), F.pad(down[:, :, :-1], (0, 0, 0, 1))
    horizontal = F.pad(right[..., :-1], (1, 0)), F.pad(right[..., :-1], (0, 1))
    return vertical[1] - vertical[0] + horizontal[1] - horizontal[0]
