"""AdvGAN's two networks, for images of 8x8 and more.

Both normalise each image by itself, never over the batch: what a network says about an image does not depend
on its neighbours, and it works alike in train and eval mode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.core.errors import ConfigError

SMALLEST = 8  # below this side, nothing is left to normalise once the image has been halved
_TWICE = 16  # from this side on the generator halves the image twice
_SLOPE = 0.2  # of the discriminator's leaky ReLU


def check_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """``(channels, height, width)`` of images that both networks can take.

    Raises:
        ConfigError: not images, or too small ones.
    """
    if len(shape) != 3 or min(shape[1:]) < SMALLEST:
        raise ConfigError(
            f"AdvGAN takes images (channels, height, width) of at least {SMALLEST}x{SMALLEST}, "
            f"got {tuple(shape)}"
        )
    return shape[0], shape[1], shape[2]


class ClassNorm(nn.Module):
    """Instance norm whose scale and shift depend on a class (Dumoulin et al., ICLR 2017)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(classes, channels))
        self.shift = nn.Parameter(torch.zeros(classes, channels))

    def forward(self, x: Tensor, chosen: Tensor) -> Tensor:
        return F.instance_norm(x) * self.scale[chosen][:, :, None, None] + self.shift[chosen][:, :, None, None]


class _Step(nn.Module):
    """Convolution 3x3, class norm, ReLU."""

    def __init__(self, inner: int, outer: int, classes: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, 3, stride=stride, padding=1, bias=False)
        self.norm = ClassNorm(outer, classes)

    def forward(self, x: Tensor, chosen: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x), chosen))


class _Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.first = _Step(channels, channels, classes)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = ClassNorm(channels, classes)

    def forward(self, x: Tensor, chosen: Tensor) -> Tensor:
        out: Tensor = self.norm(self.conv(self.first(x, chosen)), chosen)
        return x + out


class Generator(nn.Module):
    """Image and class in, a perturbation in (-1, 1) out.

    An encoder that halves the image once or twice, residual blocks, and a decoder that sees the encoder's
    maps again.

    Args:
        shape: of one image.
        classes: how many.
        width: channels at full size; doubled at each halving.
        blocks: residual blocks at the smallest size.
    """

    def __init__(self, shape: Sequence[int], classes: int, *, width: int, blocks: int) -> None:
        super().__init__()
        depth, height, wide = check_shape(shape)
        halvings = 2 if min(height, wide) >= _TWICE else 1
        widths = [width * 2**level for level in range(halvings + 1)]
        self.stem = _Step(depth, width, classes)
        self.down = nn.ModuleList(
            _Step(widths[level], widths[level + 1], classes, stride=2) for level in range(halvings)
        )
        self.middle = nn.ModuleList(_Residual(widths[-1], classes) for _ in range(blocks))
        self.up = nn.ModuleList(
            _Step(widths[level + 1] + widths[level], widths[level], classes)
            for level in reversed(range(halvings))
        )
        self.head = nn.Conv2d(width + depth, depth, 3, padding=1)

    def forward(self, x: Tensor, chosen: Tensor) -> Tensor:
        """For images ``(n, c, h, w)`` in [-1, 1] and int64 classes ``(n,)``."""
        maps = self.stem(x, chosen)
        passed = []
        for step in self.down:
            passed.append(maps)
            maps = step(maps, chosen)
        for block in self.middle:
            maps = block(maps, chosen)
        for step in self.up:
            beside = passed.pop()
            # to the very size that was halved, odd ones included
            maps = step(torch.cat([F.interpolate(maps, size=beside.shape[2:]), beside], dim=1), chosen)
        return torch.tanh(self.head(torch.cat([maps, x], dim=1)))


class Discriminator(nn.Module):
    """Images ``(n, c, h, w)`` in [-1, 1] in, ``(n,)`` out: near 1 for clean ones, near 0 for perturbed ones."""

    def __init__(self, shape: Sequence[int], *, width: int) -> None:
        super().__init__()
        depth, height, wide = check_shape(shape)
        halvings = min(3, int(math.log2(min(height, wide))) - 1)  # 2x2 is left of the smallest
        widths = [depth, *(width * 2**level for level in range(halvings))]
        self.convs = nn.ModuleList(
            nn.Conv2d(widths[level], widths[level + 1], 4, stride=2, padding=1) for level in range(halvings)
        )
        self.head = nn.Linear(widths[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        for number, conv in enumerate(self.convs):
            x = conv(x)
            x = F.leaky_relu(x if number == 0 else F.instance_norm(x), _SLOPE)
        return self.head(x.mean(dim=(2, 3))).squeeze(1)  # type: ignore[no-any-return]
