"""A scattering transform: features of images that nobody had to learn, so that they cost no privacy.

Wavelets, absolute values and averages, twice in a row. A linear layer on them learns from few steps, which is
what noisy training allows (Tramèr and Boneh, Differentially private learning needs better features, ICLR 2021).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count

_SCALES = 2  # wavelets of about one and two pixels, averages over four
_CENTRE = 3 * math.pi / 4  # radians a pixel of the finest wavelet
_WIDTH = 0.8  # pixels, of the finest wavelet's envelope; the average's is four times that
_SLANT = 0.5  # envelopes are twice as long across the wave's direction as along it
_TINY = 1e-6  # under the root of an absolute value: its slope stays finite at 0


class Scattering(nn.Module):
    """``(n, c, h, w)`` to ``(n, c * (1 + 2a + a²), ceil(h / 4), ceil(w / 4))`` for ``a`` angles; nothing to
    learn.

    Args:
        angles: directions of the wavelets.

    Cost: about 0.4 ms a 28x28 image and core with 8 angles.
    Source: Mallat, Group invariant scattering, CPAM 2012; Bruna and Mallat, PAMI 2013. Wavelets are cut off in
        space where theirs are periodic in frequency.
    """

    fine: Tensor
    coarse: Tensor
    average: Tensor

    def __init__(self, angles: int = 8) -> None:
        super().__init__()
        require_count("angles", angles, "scattering", most=64)
        self.angles = angles
        turns = [math.pi * one / angles for one in range(angles)]
        for name, scale in (("fine", 1), ("coarse", 2)):
            bank = torch.stack([_morlet(_WIDTH * scale, _CENTRE / scale, turn) for turn in turns])
            self.register_buffer(
                name, torch.view_as_real(bank).movedim(-1, 1).flatten(0, 1)[:, None], persistent=False
            )
        self.register_buffer("average", _gaussian(_WIDTH * 2**_SCALES), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        flat = x.flatten(0, 1)[:, None]  # (n * c, 1, h, w)
        fine = self._waves(flat, self.fine, 1)
        coarse = self._waves(flat, self.coarse, 2)
        twice = self._waves(fine.flatten(0, 1)[:, None], self.coarse, 2)
        bands = [
            self._averages(flat, 4),
            self._averages(fine, 4),
            self._averages(coarse, 2),
            self._averages(twice.view(len(flat), -1, *twice.shape[2:]), 2),
        ]
        return torch.cat(bands, dim=1).reshape(n, -1, math.ceil(height / 4), math.ceil(width / 4))

    def _waves(self, x: Tensor, bank: Tensor, stride: int) -> Tensor:
        """``(m, 1, h, w)`` to ``(m, angles, ...)``: the absolute values of complex filters' answers."""
        found = F.conv2d(_mirrored(x, bank.shape[-1] // 2), bank, stride=stride)
        return (torch.unflatten(found, 1, (-1, 2)).square().sum(2) + _TINY).sqrt()

    def _averages(self, x: Tensor, stride: int) -> Tensor:
        """Local means; where rows and columns were halved before, so is the window."""
        window = self.average if stride == 4 else self.average[::2] / self.average[::2].sum()
        half, channels = len(window) // 2, x.shape[1]
        across = window.expand(channels, 1, 1, -1)
        x = F.conv2d(_mirrored(x, half), across, stride=(1, stride), groups=channels)
        return F.conv2d(x, across.transpose(2, 3), stride=(stride, 1), groups=channels)

    def extra_repr(self) -> str:
        return f"angles={self.angles}"


def scatter_linear(shape: tuple[int, ...], classes: int, *, angles: int = 8, groups: int = 27) -> nn.Module:
    """Scattering, group norm without weights, and one linear layer: the only thing that learns.

    Args:
        groups: of neighbouring channels that are normalised together, at most; lowered to a divisor.
    """
    if len(shape) != 3 or min(shape[1:]) < 8:
        raise ConfigError(f"scatter-linear takes images (channels, height, width) of at least 8x8, got {shape}")
    require_count("groups", groups, "scatter-linear")
    channels = shape[0] * (1 + 2 * angles + angles**2)
    even = max(one for one in range(1, min(groups, channels) + 1) if not channels % one)
    places = math.ceil(shape[1] / 4) * math.ceil(shape[2] / 4)
    return nn.Sequential(
        Scattering(angles),
        nn.GroupNorm(even, channels, affine=False),
        nn.Flatten(),
        nn.Linear(channels * places, classes),
    )


def _morlet(width: float, centre: float, turn: float) -> Tensor:
    """A complex wave under an envelope, with its mean taken off; float32 in absolute sum 1."""
    half = math.ceil(3 * width / _SLANT**0.5)
    rows, columns = torch.meshgrid(*[torch.arange(-half, half + 1).double()] * 2, indexing="ij")
    along = rows * math.sin(turn) + columns * math.cos(turn)
    across = columns * math.sin(turn) - rows * math.cos(turn)
    envelope = torch.exp(-(along.square() + (across * _SLANT).square()) / (2 * width**2))
    wave = torch.polar(torch.ones_like(along), centre * along)
    flat = (envelope * wave).sum() / envelope.sum()
    found = envelope * (wave - flat)
    return (found / found.abs().sum()).to(torch.complex64)


def _gaussian(width: float) -> Tensor:
    """``(2k + 1,)`` that sums to 1, with an even k so that every second value is a window again."""
    half = 2 * math.ceil(1.25 * width)
    found = torch.exp(-torch.arange(-half, half + 1).double().square() / (2 * width**2))
    return (found / found.sum()).float()


def _mirrored(x: Tensor, sides: int) -> Tensor:
    """Reflected at the borders, as often as a small picture needs."""
    while sides:
        step = min(sides, min(x.shape[-2:]) - 1)
        x, sides = F.pad(x, (step,) * 4, mode="reflect"), sides - step
    return x
