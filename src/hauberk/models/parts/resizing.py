"""Random sizes and places: each answer sees the picture elsewhere."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.settings import require_range, require_within
from hauberk.models.parts.part import Gradient
from hauberk.models.parts.transformation import Transformation


class ResizePad(Transformation):
    """Shrinks each picture to a size drawn at random and lays it at a random place on an empty one.

    Args:
        smallest: share of each side that is left at least.
        low, high: of the input; what lies around the picture is ``low``.

    Limits: an attacker who averages over sizes and places meets the network as it is.
    Source: Xie, Wang, Zhang, Ren, Yuille: Mitigating adversarial effects through randomization, ICLR 2018.
        There pictures grow and the network takes larger ones; here the network's size stays, so they shrink.
        Bilinear in place of the nearest pixel, which leaves nothing of small pictures.
    """

    name: ClassVar[str] = "resize-pad"
    gradient: ClassVar[Gradient] = "random"

    def __init__(self, smallest: float = 0.8, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        require_within("smallest", smallest, self.name, "[0.1, 1]")
        require_range(low, high, self.name)
        self.smallest, self.low, self.high = smallest, low, high

    def args(self) -> dict[str, Any]:
        return {"smallest": self.smallest, "low": self.low, "high": self.high}

    def changed(self, x: Tensor) -> Tensor:
        share = self.smallest + (1 - self.smallest) * torch.rand(len(x), device=x.device)
        rows, columns = (_places(side, share) for side in x.shape[2:])
        seen, inside = _read(x - self.low, rows, columns)
        return seen * inside + self.low


def _places(side: int, share: Tensor) -> Tensor:
    """Where each of ``side`` pixels reads from, ``(n, side)`` in pixels: below 0 or beyond, it is empty."""
    size = (share * side).round().clamp_min(1)
    offset = (torch.rand_like(share) * (side - size + 1)).floor().clamp(max=side - 1)
    pixel = torch.arange(side, device=share.device, dtype=share.dtype)
    return (pixel - offset[:, None] + 0.5) * (side / size[:, None]) - 0.5


def _read(x: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """The pictures at these places, between pixels bilinear, and a mask ``(n, 1, h, w)`` of what is inside."""
    height, width = x.shape[2:]
    across = (2 * columns + 1) / width - 1  # -1 and 1 are the outer edges
    along = (2 * rows + 1) / height - 1
    grid = torch.stack(
        [across[:, None, :].expand(-1, height, -1), along[:, :, None].expand(-1, -1, width)], dim=-1
    )
    seen = F.grid_sample(x, grid.to(x.dtype), mode="bilinear", padding_mode="border", align_corners=False)
    inside = (grid.abs() <= 1).all(dim=-1)
    return seen, inside[:, None].to(x.dtype)
