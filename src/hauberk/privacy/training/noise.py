"""The randomness that privacy rests on: an AES-256 key stream under a key that nobody keeps.

Torch's generators can be run backwards from what they put out, and a seed that stands in a record undoes the
noise for whoever reads it. So neither is used: who is drawn into a batch and what is added to a sum come from a
stream cipher, keyed by the operating system anew in every process.
"""

from __future__ import annotations

import hashlib
import math
import os

import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from torch import Tensor

_PART = 1 << 20  # normals at a time: what is worked on stays in the caches
_POSITIVE = (1 << 63) - 1


class NoiseSource:
    """Random numbers that cannot be told from ideal ones without the key.

    Args:
        test_key: for tests alone: bytes that make the numbers repeat. Whoever knows them takes the noise off
            again, so that nothing is private any more. None takes a key from the operating system.

    Limits: the normals are float64 with 53 random bits for the angle and 63 for the radius, no exact samples
        of the continuous law (Mironov, CCS 2012). They are added in float64 and the sum is rounded to
        float32 afterwards, which hides the low bits that such attacks read, without a proof.
    """

    def __init__(self, *, test_key: bytes | None = None) -> None:
        self.for_tests = test_key is not None
        key = os.urandom(32) if test_key is None else hashlib.sha256(test_key).digest()
        # a nonce of zeros is right here: the key is used for this one stream
        self._stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()

    def _words(self, count: int) -> Tensor:
        """Uniform int64."""
        buffer = bytearray(8 * count)
        out = bytearray(8 * count + 15)
        self._stream.update_into(buffer, out)
        return torch.frombuffer(out, dtype=torch.int64, count=count)

    def uniform(self, count: int) -> Tensor:
        """float64 ``(count,)`` in [0, 1), of 53 random bits."""
        return ((self._words(count) >> 11) & ((1 << 53) - 1)).double() * 2.0**-53

    def chosen(self, count: int, rate: float) -> Tensor:
        """A Poisson sample: int64, the numbers below ``count`` that each came in with chance ``rate``."""
        return (self.uniform(count) < rate).nonzero().squeeze(1)

    def normal(self, count: int) -> Tensor:
        """float64 ``(count,)``, independent standard normals.

        Source: Box and Muller, Annals of Mathematical Statistics 1958.
        """
        parts = [self._normal(min(_PART, count - at)) for at in range(0, count, _PART)]
        return torch.cat(parts) if parts else torch.empty(0, dtype=torch.float64)

    def _normal(self, count: int) -> Tensor:
        half = (count + 1) // 2
        # its logarithm needs more bits than others for the far tail (9.4 at most), and a value above 0
        above_zero = ((self._words(half) & _POSITIVE).double() + 0.5) * 2.0**-63
        radius = above_zero.log_().mul_(-2).sqrt_()
        angle = self.uniform(half).mul_(2 * math.pi)
        return torch.cat([radius * angle.cos(), radius * angle.sin()])[:count]
