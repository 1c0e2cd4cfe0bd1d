"""How far one answer is from another: what TRADES, MART and robust distillation keep small."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def divergence(wanted: Tensor, given: Tensor) -> Tensor:
    """Kullback-Leibler divergence of what ``given`` says from what ``wanted`` says, in nats.

    Args:
        wanted, given: logits ``(n, classes)``; the expectation is taken over the softmax of ``wanted``.

    Returns:
        ``(n,)``, 0 where both say the same; differentiable in both.
    """
    # float32 whatever came: half precision would lose the small differences between near answers
    wanted, given = F.log_softmax(wanted.float(), dim=1), F.log_softmax(given.float(), dim=1)
    return (wanted.exp() * (wanted - given)).sum(dim=1)
