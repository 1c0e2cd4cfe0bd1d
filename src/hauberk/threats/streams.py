"""A random stream per sample, drawn for a whole batch at once.

The same seed must give the same attack on a sample whatever batch it travels in, on whatever device, with
however many workers. So randomness is a function of (seed, sample index, draw number, position): SplitMix64
(Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014) evaluated as a counter-based
generator on int64 tensors, whose wrapping arithmetic is the same everywhere. Not for keys or anything secret.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hauberk.core.seeds import derive_seed


def _signed(value: int) -> int:
    """``value`` modulo 2**64, as int64 has it."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_MIX_1 = _signed(0xBF58476D1CE4E5B9)
_MIX_2 = _signed(0x94D049BB133111EB)


def _mix(z: Tensor) -> Tensor:
    """SplitMix64's finaliser; ``>>`` is arithmetic on int64, so the sign bits are masked away."""
    z = (z ^ ((z >> 30) & ((1 << 34) - 1))) * _MIX_1
    z = (z ^ ((z >> 27) & ((1 << 37) - 1))) * _MIX_2
    return z ^ ((z >> 31) & ((1 << 33) - 1))


@dataclass(frozen=True)
class Streams:
    """One stream for each of ``n`` samples.

    Args:
        keys: int64 tensor ``(n,)``; equal keys give equal draws.
    """

    keys: Tensor

    @classmethod
    def for_samples(cls, seed: int, indices: Tensor, *labels: str | int) -> Streams:
        """Streams named by the run's seed, the use (``labels``) and each sample's index in its dataset."""
        root = derive_seed(seed, *labels)
        return cls(_mix(indices.to(torch.int64) * _GOLDEN + root))

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, selection: Tensor) -> Streams:
        """The streams of some samples (boolean mask or indices)."""
        return Streams(self.keys[selection])

    def fork(self, label: int) -> Streams:
        """Fresh streams for draw number ``label``; the same label gives the same streams again."""
        return Streams(_mix(self.keys + _signed((label + 1) * _GOLDEN)))

    def bits(self, shape: Sequence[int]) -> Tensor:
        """int64 words ``(n, *shape)``, uniform over all 64-bit patterns."""
        count = math.prod(shape)
        counter = torch.arange(1, count + 1, device=self.keys.device, dtype=torch.int64) * _GOLDEN
        return _mix(self.keys[:, None] + counter).view(len(self), *shape)

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """float32 in [0, 1), ``(n, *shape)``, 24 random bits each."""
        return ((self.bits(shape) >> 40) & 0xFFFFFF).to(torch.float32) * 2.0**-24

    def normal(self, shape: Sequence[int]) -> Tensor:
        """float32 standard normal, ``(n, *shape)`` (Box-Muller; tails cut near 5.9 sigma)."""
        words = self.bits(shape)
        first = (((words >> 40) & 0xFFFFFF).to(torch.float32) + 0.5) * 2.0**-24
        second = ((words >> 16) & 0xFFFFFF).to(torch.float32) * 2.0**-24
        return torch.sqrt(-2.0 * torch.log(first)) * torch.cos(2.0 * math.pi * second)

    def signs(self, shape: Sequence[int]) -> Tensor:
        """float32 of -1 and +1, ``(n, *shape)``."""
        return torch.where(self.bits(shape) < 0, -1.0, 1.0)

    def integers(self, high: int, shape: Sequence[int]) -> Tensor:
        """int64 in [0, high), ``(n, *shape)``; the bias is below high / 2**24."""
        return (self.uniform(shape).to(torch.float64) * high).to(torch.int64).clamp_(max=high - 1)
