"""SPSA: a gradient from random signs, followed by Adam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from hauberk.attacks.query.estimate import EstimatedGradient
from hauberk.attacks.query.hunt import Hunt
from hauberk.threats import Streams

_FIRST, _SECOND = 0.9, 0.999  # Adam's decays
_TINY = 1e-12


@dataclass(frozen=True, kw_only=True, repr=False)
class SPSA(EstimatedGradient):
    """Simultaneous perturbation: every value moves at once, by plus or minus the same amount.

    ``step_size`` is the length of Adam's first step.

    Limits: as NES; a plateau wider than ``reach`` tells it nothing.
    Source: Uesato, O'Donoghue, van den Oord, Kohli, Adversarial risk and the dangers of evaluating against
    weak attacks, ICML 2018, algorithm 1 (Spall, 1992), with Adam and the margin as there. The paper spends
    hundreds of thousands of questions; the default here fits some thousands.
    """

    name: ClassVar[str] = "spsa"

    def directions(self, streams: Streams, shape: tuple[int, ...]) -> Tensor:
        return streams.signs(shape)

    def advance(self, hunt: Hunt, slope: Tensor, number: int, length: float) -> Tensor:
        first = (1 - _FIRST) * slope + _FIRST * hunt.memory.get("first", slope * 0)
        second = (1 - _SECOND) * slope.square() + _SECOND * hunt.memory.get("second", slope * 0)
        hunt.memory |= {"first": first, "second": second}
        mean, spread = first / (1 - _FIRST**number), second / (1 - _SECOND**number)
        scaled = mean / (spread.sqrt() + _TINY)
        # Adam's step is about 1 in each value: as long as the geometry's own steepest step
        unit = hunt.problem.geometry.distance(scaled / (scaled.abs() + _TINY))
        unit = unit.clamp_min(_TINY).view(-1, *([1] * (slope.ndim - 1)))
        return hunt.x + length * scaled / unit
