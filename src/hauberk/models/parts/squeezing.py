"""An input and simpler copies of it: where the answers differ, something was hidden in the details."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.models.parts.part import Gradient, Inner
from hauberk.models.parts.quantising import BitDepth
from hauberk.models.parts.rejection import Detector


def median_smoothed(x: Tensor, size: int) -> Tensor:
    """The median of ``size`` x ``size`` windows, the shape of ``x`` ``(n, c, h, w)``, edges repeated.

    Of an even number of values the upper middle one; such a window reaches farther up and to the left.
    """
    before, after = size // 2, (size - 1) // 2
    padded = F.pad(x, (before, after, before, after), mode="replicate")
    height, width = x.shape[-2:]
    views = [padded[..., i : i + height, j : j + width] for i in range(size) for j in range(size)]
    if size == 2:  # the second largest of four, without a sort: most of the cost otherwise
        a, b, c, d = views
        first, second = torch.maximum(a, b), torch.maximum(c, d)
        lower = torch.maximum(torch.minimum(a, b), torch.minimum(c, d))
        return torch.maximum(torch.minimum(first, second), lower)
    return torch.stack(views).sort(dim=0).values[size * size // 2]


class FeatureSqueezing(Detector):
    """Refuses where the network answers otherwise once the input is squeezed.

    The score is ``-log(1 - d / 2)``, where ``d`` is the largest L1 distance between the probabilities for the
    input and those for a squeezed copy: ``d`` itself is flat at 2, which would blind attacks.

    Args:
        bits: of the copy with fewer levels; 0: no such copy.
        median: side of the windows of the smoothed copy; 0: none.
        low, high: the valid range, for ``bits``.

    Cost: a pass for each copy besides the input's own.
    Limits: an attacker who knows of it finds inputs on which the copies agree with the wrong answer (He et al.,
        WOOT 2017).
    Source: Xu, Evans, Qi: Feature squeezing, NDSS 2018, section IV. Non-local means are left out.
    """

    name: ClassVar[str] = "feature-squeezing"
    gradient: ClassVar[Gradient] = "blocked"  # by the rounding alone; the smoothed copy has slopes

    def __init__(
        self,
        classes: int,
        bits: int = 1,
        median: int = 2,
        low: float = 0.0,
        high: float = 1.0,
        threshold: float = 0.0,
        spread: float = 1.0,
    ) -> None:
        super().__init__(classes, threshold, spread)
        self.coarse = BitDepth(bits, low, high) if bits else None
        if isinstance(median, bool) or not isinstance(median, int) or median < 0 or median == 1:
            raise ConfigError(f"{self.name}: median must be 0 or at least 2, got {median!r}")
        if not bits and not median:
            raise ConfigError(f"{self.name}: there must be bits or median, or there is no squeezed copy")
        self.bits, self.median, self.low, self.high = bits, median, low, high

    def args(self) -> dict[str, Any]:
        own = {"bits": self.bits, "median": self.median, "low": self.low, "high": self.high}
        return {**super().args(), **own}

    def look(self, x: Tensor, inner: Inner) -> tuple[Tensor, Tensor]:
        logits = inner(x)
        scores = []
        if self.coarse is not None:
            scores.append(self._apart(logits, self.coarse(x, inner)))
        if self.median:
            scores.append(self._apart(logits, inner(median_smoothed(x, self.median))))
        return logits, torch.stack(scores).amax(dim=0)

    def _apart(self, logits: Tensor, others: Tensor) -> Tensor:
        """``-log`` of the probability mass in common, which is ``1 - d / 2``."""
        first, second = (F.log_softmax(one[:, : self.classes], dim=1) for one in (logits, others))
        return -torch.minimum(first, second).logsumexp(dim=1)
