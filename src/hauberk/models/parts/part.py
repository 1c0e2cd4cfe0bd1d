"""The frame of what stands around a network: a part sees the input and may ask the rest about any point."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

Gradient = Literal["exact", "blocked", "random"]
Inner = Callable[[Tensor], Tensor]


class Part(nn.Module, ABC):
    """One layer of armour around a classifier; parts nest like the skins of an onion, the first is outermost.

    A part is built again from ``args()`` and its state (buffers and parameters), which travel in the package.
    Everything happens in the classifier's own scale: normalisation comes after all parts.

    Class attributes:
        name: in packages, evidence and on the command line.
        gradient: what it does to gradients, so that an evaluation can answer: ``exact`` (nothing that hides
            them), ``blocked`` (they vanish or mislead: answered with ``relaxed``, BPDA), ``random`` (each
            answer differs: answered by averaging, EOT).
        rejects: True if it may refuse an input; the logits then have one more column, last, see ``refusing``.
    """

    name: ClassVar[str]
    gradient: ClassVar[Gradient] = "exact"
    rejects: ClassVar[bool] = False

    def args(self) -> dict[str, Any]:
        """Keyword arguments that build it again, as JSON."""
        return {}

    @abstractmethod
    def forward(self, x: Tensor, inner: Inner) -> Tensor:
        """Logits ``(n, classes)`` for ``x``, asking ``inner`` (images to logits) as often as it needs."""

    def relaxed(self) -> Part:
        """What to take gradients from in its place: nearly the same values, with slopes that lead somewhere.

        By default itself: rounding, signs and clamps are bridged from outside (``models.stand_in``).
        """
        return self


def refusing(logits: Tensor, score: Tensor, classes: int) -> Tensor:
    """Logits ``(n, classes + 1)``: the last column wins exactly where ``score`` ``(n,)`` is above 0.

    Logits that have such a column already keep the stronger of the two.
    """
    refused = logits[:, :classes].amax(dim=1) + score
    if logits.shape[1] > classes:
        refused = torch.maximum(refused, logits[:, classes])
    return torch.cat([logits[:, :classes], refused[:, None]], dim=1)
