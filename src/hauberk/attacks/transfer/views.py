"""What makes adversarial samples carry over: looking at a point in more ways than one.

A view changes the point before the source sees it, or the gradient that comes back. Views compose: the points
of one are handed to the next, and gradients are averaged over all of them. Each draws from the samples' own
streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count, require_number
from hauberk.threats import Streams


@dataclass(frozen=True, kw_only=True)
class View:
    """Changes nothing; the base of those that do."""

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse inputs that this view has no meaning for."""

    def points(self, x: Tensor, streams: Streams) -> Sequence[Tensor]:
        """What the source is shown in place of ``x`` ``(n, ...)``: differentiable, same shape each."""
        return [x]

    def gradient(self, gradient: Tensor) -> Tensor:
        """What the attack is told in place of ``gradient``."""
        return gradient


def _need_images(view: View, shape: tuple[int, ...]) -> None:
    if len(shape) != 3:
        raise ConfigError(f"{type(view).__name__} works on images (channels, height, width), not on {shape}")


@dataclass(frozen=True, kw_only=True)
class InputDiversity(View):
    """DI: each look at the image, some of the time, shrunk a little and put somewhere on an empty ground.

    Args:
        least: the smallest side, as a share of the image's, in (0, 1).
        probability: of a change at each look, in (0, 1].
        fill: value of the ground.

    Source: Xie et al., Improving transferability of adversarial examples with input diversity, CVPR 2019.
        There images grow from 299 to at most 330 pixels; here they shrink by up to a tenth, so that networks
        of one input size can look at them, and the side is any real number, with bilinear interpolation.
    """

    least: float = 0.9
    probability: float = 0.7
    fill: float = 0.0

    def __post_init__(self) -> None:
        for name in ("least", "probability", "fill"):
            require_number(name, getattr(self, name), "InputDiversity")
        if not 0 < self.least < 1:
            raise ConfigError(f"InputDiversity: least must lie between 0 and 1, got {self.least!r}")
        if not 0 < self.probability <= 1:
            raise ConfigError(f"InputDiversity: probability must lie in (0, 1], got {self.probability!r}")

    def check(self, shape: tuple[int, ...]) -> None:
        _need_images(self, shape)

    def points(self, x: Tensor, streams: Streams) -> Sequence[Tensor]:
        draws = streams.uniform((4,)).to(x)
        side = self.least + (1 - self.least) * draws[:, 0]
        shift = (2 * draws[:, 1:3] - 1) * (1 - side)[:, None]
        changed = draws[:, 3] < self.probability
        side = torch.where(changed, side, 1.0)
        shift = torch.where(changed[:, None], shift, 0.0)
        # grid_sample asks where in the old image each new pixel comes from: (new - shift) / side
        affine = torch.zeros(len(x), 2, 3, dtype=x.dtype, device=x.device)
        affine[:, 0, 0] = affine[:, 1, 1] = 1 / side
        affine[:, :, 2] = -shift / side[:, None]
        grid = F.affine_grid(affine, list(x.shape), align_corners=False)
        drawn = F.grid_sample(x - self.fill, grid, padding_mode="zeros", align_corners=False) + self.fill
        return [torch.where(changed.view(-1, 1, 1, 1), drawn, x)]


@dataclass(frozen=True, kw_only=True)
class ScaleCopies(View):
    """SI: the image and fainter copies of it, ``x / 2**i``.

    Args:
        copies: how many looks, the image itself among them.

    Source: Lin et al., Nesterov accelerated gradient and scale invariance, ICLR 2020, equation 8.
    """

    copies: int = 5

    def __post_init__(self) -> None:
        require_count("copies", self.copies, "ScaleCopies")

    def points(self, x: Tensor, streams: Streams) -> Sequence[Tensor]:
        return [x / 2**power for power in range(self.copies)]


@dataclass(frozen=True, kw_only=True)
class TranslationInvariance(View):
    """TI: the gradient smoothed over neighbouring pixels, as if the image had been shifted about.

    Args:
        size: side of the Gaussian kernel in pixels, odd; its edge lies at three standard deviations.

    Source: Dong et al., Evading defenses by translation-invariant attacks, CVPR 2019, equation 8 (there 15
        pixels for sides of 299).
    """

    size: int = 3

    def __post_init__(self) -> None:
        require_count("size", self.size, "TranslationInvariance")
        if self.size % 2 == 0 or self.size < 3:
            raise ConfigError(f"TranslationInvariance: size must be odd and at least 3, got {self.size}")

    def check(self, shape: tuple[int, ...]) -> None:
        _need_images(self, shape)

    def gradient(self, gradient: Tensor) -> Tensor:
        along = torch.linspace(-3, 3, self.size, dtype=gradient.dtype, device=gradient.device)
        line = torch.exp(-along.square() / 2)
        kernel = torch.outer(line, line) / line.sum() ** 2
        channels = gradient.shape[1]
        weights = kernel.expand(channels, 1, self.size, self.size)
        return F.conv2d(gradient, weights, padding=self.size // 2, groups=channels)
