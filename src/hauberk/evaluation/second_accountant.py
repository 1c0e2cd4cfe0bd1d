"""What a private run cost, computed a second time: by other code, in another way than the trainer's.

It shares nothing with ``hauberk.privacy.training`` but the specification: so many steps, each of which draws
every example with the same chance and adds Gaussian noise to a sum that one example moves by at most the clip.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hauberk.core.errors import ConfigError, DataError
from hauberk.core.evidence import Evidence
from hauberk.core.settings import require_count, require_positive, require_within

Numbers = NDArray[np.float64]

_BINS = 1 << 20
_SPREAD = 24.0  # standard deviations of the whole loss that the window holds
_FAR = 40.0  # of the noise, where an integral over it ends


def recomputed_epsilon(rate: float, noise_multiplier: float, steps: int, delta: float) -> float:
    """Epsilon at ``delta`` of so many Poisson-sampled Gaussian steps, an example added or removed.

    The law of the privacy loss of one step is put on a grid with its mean kept, and raised to the power of the
    steps by Fourier transform. An estimate, not a bound: within a hundredth of one where both are known.

    Cost: about a second.
    Source: Gopi, Lee, Wutschitz, Numerical composition of differential privacy, NeurIPS 2021, section 5.
    """
    require_within("rate", rate, "recomputed_epsilon", "(0, 1]")
    require_positive("noise_multiplier", noise_multiplier, "recomputed_epsilon")
    require_count("steps", steps, "recomputed_epsilon", least=0)
    require_within("delta", delta, "recomputed_epsilon", "(0, 1)")
    if not steps:
        return 0.0
    return max(_one_way(rate, noise_multiplier, steps, delta, removed) for removed in (True, False))


def recomputed_from(evidence: Evidence, delta: float) -> float | None:
    """The same from what a training's record says it did; None where it claims no privacy.

    Raises:
        DataError: the claim lacks a figure, or has one that cannot be.
    """
    claim: Any = evidence.result.get("privacy")
    if claim is None:
        return None
    try:
        return recomputed_epsilon(claim["rate"], claim["noise_multiplier"], claim["steps"], delta)
    except (KeyError, TypeError, ConfigError) as error:
        raise DataError(f"the record's claim of privacy cannot be followed: {error}") from error


def _one_way(rate: float, noise: float, steps: int, delta: float, removed: bool) -> float:
    """Removed: the loss under the mixture of noise and shifted noise. Added: its negative under noise."""

    def chance(x: Numbers) -> Numbers:
        """That the step's outcome lies below ``x``."""
        apart = _normal(x / noise)
        return (1 - rate) * apart + rate * _normal((x - 1) / noise) if removed else apart

    fine = np.linspace(-_FAR * noise, 1 + _FAR * noise, 200_001)
    middles, weights = (fine[1:] + fine[:-1]) / 2, np.diff(chance(fine))
    # log(1 - q + q e^z) without overflow
    losses = np.logaddexp(
        math.log1p(-rate) if rate < 1 else -np.inf, math.log(rate) + (2 * middles - 1) / (2 * noise**2)
    )
    losses = losses if removed else -losses
    mean = float(weights @ losses)
    deviation = math.sqrt(float(weights @ (losses - mean) ** 2))
    # the right tail counts: take in what is rare in one step and large
    furthest = float(np.abs(losses[weights > delta * 1e-8 / steps]).max())
    window = abs(steps * mean) + _SPREAD * math.sqrt(steps) * deviation + 2 * furthest
    step = 2 * window / _BINS
    shift = mean - step * round(mean / step)
    places = np.clip(np.rint((losses - shift) / step), -_BINS // 2, _BINS // 2 - 1).astype(np.int64)
    one = np.bincount(places % _BINS, weights=weights, minlength=_BINS)
    kept = float(weights @ (places * step + shift)) - mean  # what rounding did to the mean is taken back
    many = np.fft.irfft(np.fft.rfft(one) ** steps, _BINS)
    grid = np.where(np.arange(_BINS) < _BINS // 2, np.arange(_BINS), np.arange(_BINS) - _BINS) * step
    return _epsilon(grid + steps * (shift - kept), np.clip(many, 0, None), delta)


def _epsilon(losses: Numbers, weights: Numbers, delta: float) -> float:
    """The smallest epsilon at which the mass beyond it, weighted, is no more than delta."""
    order = np.argsort(losses)
    losses, weights = losses[order], weights[order]

    def over(epsilon: float) -> float:
        beyond = losses > epsilon
        return float(weights[beyond] @ -np.expm1(epsilon - losses[beyond]))

    low, high = 0.0, float(losses[-1])
    if high <= 0 or over(0.0) <= delta:
        return 0.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if over(middle) > delta else (low, middle)
    return high


def _normal(x: Numbers) -> Numbers:
    """The standard normal's distribution function."""
    found: Numbers = torch.special.ndtr(torch.from_numpy(x)).numpy()
    return found
