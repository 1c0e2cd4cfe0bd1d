"""How sure a model is of the true class, in float64 and without losing what softmax saturates away."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def scaled_confidence(logits: Tensor, labels: Tensor) -> Tensor:
    """``log(p / (1 - p))`` of the true class, ``(..., n)`` from logits ``(..., n, classes)``.

    Computed as the true logit minus the log-sum-exp of the others, so it stays exact where p rounds to 1.

    Source: Carlini et al., Membership Inference Attacks From First Principles, S&P 2022, section IV.C.
    """
    wide = logits.double()
    index = labels.expand(wide.shape[:-1])[..., None]
    true = wide.gather(-1, index).squeeze(-1)
    return true - wide.scatter(-1, index, -torch.inf).logsumexp(dim=-1)


def log_probability(logits: Tensor, labels: Tensor) -> Tensor:
    """``log p`` of the true class: minus the cross-entropy; exact where the loss rounds to 0 too."""
    return F.logsigmoid(scaled_confidence(logits, labels))
