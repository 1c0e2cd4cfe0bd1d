"""Detectors: parts that score how suspicious an input is and refuse what lies above a threshold.

A score must keep a slope where it refuses: one that saturates would hide its gradient from attacks and look
better than it is. So shares are taken as logarithms, which changes no decision.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import check_known
from hauberk.core.settings import require_count, require_number, require_positive
from hauberk.models.parts.part import Inner, Part, refusing


class Detector(Part):
    """Refuses an input whose ``score`` is above ``threshold``.

    Args:
        classes: of the network behind it.
        threshold: in the score's own unit; ``calibrate`` finds one.
        spread: how far the threshold lies above a usual score: the refusal's logit grows by one for each
            ``spread``, so that scores of any unit stand beside logits.
    """

    rejects: ClassVar[bool] = True

    def __init__(self, classes: int, threshold: float = 0.0, spread: float = 1.0) -> None:
        super().__init__()
        require_count("classes", classes, self.name, least=2)
        require_number("threshold", threshold, self.name)
        require_positive("spread", spread, self.name)
        self.classes, self.threshold, self.spread = classes, float(threshold), float(spread)

    def args(self) -> dict[str, Any]:
        return {"classes": self.classes, "threshold": self.threshold, "spread": self.spread}

    @abstractmethod
    def look(self, x: Tensor, inner: Inner) -> tuple[Tensor, Tensor]:
        """Logits for ``x``, and scores ``(n,)`` that grow with suspicion."""

    def score(self, x: Tensor, inner: Inner) -> Tensor:
        """How suspicious each input is, ``(n,)``, whatever the threshold."""
        return self.look(x, inner)[1]

    def forward(self, x: Tensor, inner: Inner) -> Tensor:
        logits, score = self.look(x, inner)
        return refusing(logits, (score - self.threshold) / self.spread, self.classes)

    def calibrate(self, scores: Tensor, fpr: float) -> None:
        """Take the lowest threshold that refuses at most a share ``fpr`` of clean ``scores`` ``(n,)``."""
        ordered = scores.detach().double().sort().values.tolist()
        allowed = math.floor(fpr * len(ordered) + 1e-9)
        self.threshold = ordered[len(ordered) - 1 - allowed]
        usual = ordered[len(ordered) // 2]
        self.spread = self.threshold - usual if self.threshold - usual > 1e-6 else 1.0


def _log_confidence(logits: Tensor) -> Tensor:
    return F.log_softmax(logits, dim=1).amax(dim=1)


def _margin(logits: Tensor) -> Tensor:
    first, second = logits.topk(2, dim=1).values.unbind(dim=1)
    return first - second


def _energy(logits: Tensor) -> Tensor:
    return logits.logsumexp(dim=1)


MEASURES = {"softmax": _log_confidence, "margin": _margin, "energy": _energy}


class Confidence(Detector):
    """Refuses where the network is unsure of its answer: the baseline that any other detector must beat.

    Args:
        measure: of being sure: ``softmax`` (the largest probability, taken as its logarithm), ``margin``
            (between the two largest logits) or ``energy`` (logarithm of the sum of their exponentials).

    Limits: adversarial inputs of high confidence are easy to find; it refuses those just across the boundary,
        where an attacker stops who does not know of it.
    Source: Hendrycks and Gimpel, ICLR 2017 (softmax); Liu et al., NeurIPS 2020 (energy).
    """

    name: ClassVar[str] = "confidence"

    def __init__(
        self, classes: int, measure: str = "softmax", threshold: float = 0.0, spread: float = 1.0
    ) -> None:
        super().__init__(classes, threshold, spread)
        check_known([measure], MEASURES, what="measure", where=self.name)
        self.measure = measure

    def args(self) -> dict[str, Any]:
        return {**super().args(), "measure": self.measure}

    def look(self, x: Tensor, inner: Inner) -> tuple[Tensor, Tensor]:
        logits = inner(x)
        return logits, -MEASURES[self.measure](logits[:, : self.classes])
