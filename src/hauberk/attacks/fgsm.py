"""One-step attacks: fast, and no evidence of robustness when they fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from hauberk.attacks.attack import Problem
from hauberk.attacks.gradient import Batch, GradientAttack
from hauberk.attacks.oracle import Look
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_number


@dataclass(frozen=True, kw_only=True, repr=False)
class FGSM(GradientAttack):
    """Fast gradient sign method: one step of length eps along the steepest direction.

    Limits: follows the slope at the clean image only. A model trained on FGSM samples can look safe and fall
    to any iterated attack.
    Source: Goodfellow, Shlens, Szegedy, ICLR 2015. Other geometries than Linf take their own steepest step.
    """

    name: ClassVar[str] = "fgsm"

    @property
    def _rounds(self) -> tuple[int, int]:
        return 1, 1

    def step(self, number: int, problem: Problem, batch: Batch, look: Look) -> Tensor:
        length = problem.geometry.step_scale(problem.classifier.bounds, problem.classifier.input_shape)
        return batch.x + length * problem.geometry.steepest(look.gradient)


@dataclass(frozen=True, kw_only=True, repr=False)
class RFGSM(GradientAttack):
    """FGSM after a random step, which leaves the flat spot that FGSM-trained models put around the image.

    Args:
        share: how much of eps the random step takes, in (0, 1).

    Source: Tramèr et al., Ensemble adversarial training, ICLR 2018 (RAND+FGSM; share 0.5).
    """

    name: ClassVar[str] = "r-fgsm"

    share: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("share", self.share, "RFGSM")
        if not 0 < self.share < 1:
            raise ConfigError(f"RFGSM: share must lie between 0 and 1, got {self.share!r}")

    @property
    def _rounds(self) -> tuple[int, int]:
        return 1, 1

    def _length(self, problem: Problem) -> float:
        return problem.geometry.step_scale(problem.classifier.bounds, problem.classifier.input_shape)

    def start(self, problem: Problem, batch: Batch, restart: int) -> Tensor:
        noise = batch.streams.normal(batch.origin.shape[1:]).to(batch.origin.dtype)
        return batch.origin + self.share * self._length(problem) * problem.geometry.steepest(noise)

    def step(self, number: int, problem: Problem, batch: Batch, look: Look) -> Tensor:
        length = (1 - self.share) * self._length(problem)
        return batch.x + length * problem.geometry.steepest(look.gradient)
