"""Randomised smoothing: the answer is that of many noisy copies together."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from hauberk.core.settings import require_above_zero, require_count
from hauberk.models.parts.part import Gradient, Inner, Part

_AT_ONCE = 4096  # copies in one pass


class Smoothing(Part):
    """The logarithm of the mean softmax over ``samples`` copies with Gaussian noise.

    One sample is plain noise at the input. Copies may leave the valid bounds: the certificate wants it so.

    Args:
        sigma: of the noise, in the input's own scale.
        samples: copies per answer.

    Cost: ``samples`` passes per answer.
    Limits: the network must know noise (``harden --method gaussian``), or nothing is left of its accuracy. The
        certificate, in L2 only, is for the smoothed classifier itself, of which an answer is an estimate.
    Source: Cohen, Rosenfeld, Kolter: Certified adversarial robustness via randomized smoothing, ICML 2019.
        There copies vote; here their softmax is averaged, which has slopes (Salman et al., NeurIPS 2019), while
        certificates count votes.
    """

    name: ClassVar[str] = "smoothing"
    gradient: ClassVar[Gradient] = "random"

    def __init__(self, sigma: float = 0.25, samples: int = 32) -> None:
        super().__init__()
        require_above_zero("sigma", sigma, self.name)
        require_count("samples", samples, self.name)
        self.sigma, self.samples = sigma, samples

    def args(self) -> dict[str, Any]:
        return {"sigma": self.sigma, "samples": self.samples}

    def forward(self, x: Tensor, inner: Inner) -> Tensor:
        each = max(1, _AT_ONCE // max(1, len(x)))
        votes = []
        for first in range(0, self.samples, each):
            copies = min(each, self.samples - first)
            wide = x.expand(copies, *x.shape).flatten(0, 1)
            logits = inner(wide + self.sigma * torch.randn_like(wide))
            votes.append(logits.log_softmax(dim=1).view(copies, len(x), -1))
        return torch.cat(votes).logsumexp(dim=0) - math.log(self.samples)
