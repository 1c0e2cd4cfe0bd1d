"""Pixels taken from elsewhere: separable filters as small matrices, kernels, and free warps.

All of them continue an image by its outermost pixels, unless they say otherwise. Positions are in pixels from
the centre of the first pixel, rows downwards.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``(n, c, h, w)`` filtered along both axes by matrices ``(h', h)`` and ``(w', w)``."""
    return rows @ images @ columns.T


def interpolation(positions: Tensor, side: int) -> Tensor:
    """``(m, side)``: reads a line of ``side`` pixels at ``m`` positions, linearly between neighbours."""
    inside = positions.clamp(0, side - 1)
    return tents(inside, torch.arange(side))


def tents(positions: Tensor, grid: Tensor) -> Tensor:
    """``(..., len(grid))``: the share of a unit at each position that linear interpolation gives each point."""
    return (1 - (positions[..., None] - grid).abs()).clamp_(min=0)


def gaussian(side: int, sigma: float) -> Tensor:
    """``(side, side)``: Gaussian blur of a line; the identity at 0."""
    if sigma == 0:
        return torch.eye(side)
    reach = math.ceil(4 * sigma)
    offsets = torch.arange(-reach, reach + 1)
    weights = torch.exp(-0.5 * (offsets / sigma).square())
    sources = (torch.arange(side)[:, None] + offsets).clamp(0, side - 1)
    matrix = torch.zeros(side, side)
    return matrix.scatter_add_(1, sources, (weights / weights.sum()).expand(side, -1))


def blur(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur; ``sigma`` in pixels."""
    height, width = images.shape[-2:]
    return separable(images, gaussian(height, sigma), gaussian(width, sigma))


def zoom(side: int, factor: float) -> Tensor:
    """``(side, side)``: the middle of a line, enlarged ``factor`` times."""
    centre = (side - 1) / 2
    return interpolation(centre + (torch.arange(side) - centre) / factor, side)


def coarse(side: int, count: int) -> Tensor:
    """``(side, side)``: a line as seen with ``count`` pixels, each the mean of what it covers."""
    edges = torch.arange(count + 1) * (side / count)
    pixel = torch.arange(side)
    covered = torch.minimum(edges[1:, None], pixel + 1.0) - torch.maximum(edges[:-1, None], pixel + 0.0)
    means = covered.clamp_(min=0) * (count / side)  # (count, side)
    nearest = ((pixel + 0.5) * (count / side)).long()
    return means[nearest]


def spread(points: Tensor, weights: Tensor) -> Tensor:
    """Kernels ``(n, k, k)`` that average an image over shifts of it.

    Args:
        points: ``(n, p, 2)`` shifts in pixels, downwards and to the right; fractions are interpolated.
        weights: ``(p,)``, summing to 1.
    """
    reach = max(1, math.ceil(float(points.abs().max())))
    grid = torch.arange(-reach, reach + 1)
    down, right = tents(points[..., 0], grid), tents(points[..., 1], grid)  # (n, p, k)
    return (weights[:, None] * down).transpose(1, 2) @ right


def convolve(images: Tensor, kernels: Tensor) -> Tensor:
    """Each image ``(c, h, w)`` with its own kernel ``(n, k, k)``, or all with one ``(1, k, k)``."""
    count, channels = images.shape[:2]
    reach = kernels.shape[-1] // 2
    padded = F.pad(images, (reach,) * 4, mode="replicate")
    own = kernels.flip(1, 2)[:, None]  # torch correlates
    if len(kernels) == 1:
        return F.conv2d(padded.flatten(0, 1)[:, None], own).view(images.shape)
    own = own.repeat_interleave(channels, dim=0)
    return F.conv2d(padded.flatten(0, 1)[None], own, groups=count * channels).view(images.shape)


def pixel_grid(height: int, width: int) -> tuple[Tensor, Tensor]:
    """The row and the column of every pixel, float32 ``(h, w)`` each."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return rows.float(), columns.float()


def warp(
    images: Tensor, rows: Tensor, columns: Tensor, *, outside: Literal["border", "zeros"] = "border"
) -> Tensor:
    """Every pixel read at another position ``(n or 1, h, w)``, linearly between neighbours."""
    height, width = images.shape[-2:]
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    grid = grid.expand(len(images), -1, -1, -1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode=outside, align_corners=False)
