"""Smoothing over neighbouring pixels."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_above_zero, require_count
from hauberk.models.parts.transformation import Transformation

_REACH = 3.0  # of a Gaussian kernel, in sigmas


class Median(Transformation):
    """Each pixel becomes the median of the square around it; beyond the edge the picture is mirrored.

    Args:
        size: side of the square, odd.

    Limits: its slope is exact, a one for the pixel that is the median, so gradient attacks are at home in it.
        A few wild pixels (L0) it takes away; what an Linf attacker does to all of them it does not.
    Source: Xu, Evans, Qi: Feature squeezing, NDSS 2018.
    """

    name: ClassVar[str] = "median"

    def __init__(self, size: int = 3) -> None:
        super().__init__()
        require_count("size", size, self.name, least=3)
        if size % 2 == 0:
            raise ConfigError(f"median: size must be odd, so that a pixel has a middle, got {size}")
        self.size = size

    def args(self) -> dict[str, Any]:
        return {"size": self.size}

    def changed(self, x: Tensor) -> Tensor:
        windows = _mirrored(x, self.size // 2, self.name).unfold(2, self.size, 1).unfold(3, self.size, 1)
        return windows.flatten(4).median(dim=4).values  # (n, c, h, w, size * size)


class GaussianBlur(Transformation):
    """Blurs with a Gaussian; beyond the edge the picture is mirrored.

    Args:
        sigma: in pixels.

    Limits: linear, so its slope is exact and it hides nothing. It takes fine detail from attacker and network
        alike.
    """

    name: ClassVar[str] = "gaussian-blur"

    kernel: Tensor

    def __init__(self, sigma: float = 0.8) -> None:
        super().__init__()
        require_above_zero("sigma", sigma, self.name)
        self.sigma = sigma
        reach = math.ceil(_REACH * sigma)
        weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / sigma).square())
        self.register_buffer("kernel", (weights / weights.sum()).float(), persistent=False)

    def args(self) -> dict[str, Any]:
        return {"sigma": self.sigma}

    def changed(self, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        size, kernel = len(self.kernel), self.kernel.to(x)
        planes = _mirrored(x, size // 2, self.name).reshape(count * channels, 1, height + size - 1, -1)
        blurred = F.conv2d(F.conv2d(planes, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
        return blurred.reshape(count, channels, height, width)


def _mirrored(x: Tensor, reach: int, name: str) -> Tensor:
    """``x`` with a margin of ``reach`` pixels all round, the edge itself not repeated."""
    if min(x.shape[2:]) <= reach:
        raise ConfigError(f"{name}: reaches {reach} pixels, more than images {x.shape[2]}x{x.shape[3]} have")
    return F.pad(x, (reach, reach, reach, reach), mode="reflect")
