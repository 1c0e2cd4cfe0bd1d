"""NES: projected steps along a gradient that Gaussian directions estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from hauberk.attacks.query.estimate import EstimatedGradient
from hauberk.attacks.query.hunt import Hunt
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_number
from hauberk.threats import Streams


@dataclass(frozen=True, kw_only=True, repr=False)
class NES(EstimatedGradient):
    """Natural evolution strategies: PGD on an estimated gradient.

    Args:
        decay: how much of the past estimates a step keeps, in [0, 1).

    Limits: a plateau wider than ``reach`` (rounded inputs, saturated scores) tells it nothing.
    Source: Ilyas, Engstrom, Athalye, Lin, Black-box attacks with limited queries and information, ICML 2018,
    algorithm 1, with the momentum of the authors' experiments. Here the margin is raised in place of the
    class probability, and a small decay keeps the estimates of one neighbourhood together.
    """

    name: ClassVar[str] = "nes"

    decay: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("decay", self.decay, "NES")
        if not 0 <= self.decay < 1:
            raise ConfigError(f"NES: decay must lie in [0, 1), got {self.decay!r}")

    def directions(self, streams: Streams, shape: tuple[int, ...]) -> Tensor:
        return streams.normal(shape)

    def advance(self, hunt: Hunt, slope: Tensor, number: int, length: float) -> Tensor:
        past = hunt.memory.get("momentum")
        momentum = slope if past is None else self.decay * past + (1 - self.decay) * slope
        hunt.memory["momentum"] = momentum
        return hunt.x + length * hunt.problem.geometry.steepest(momentum)
