"""Projected gradient ascent and its forms: PGD, BIM (the basic iterative method), momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.attack import Problem
from hauberk.attacks.gradient import Batch, GradientAttack
from hauberk.attacks.oracle import Look
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count, require_number, require_positive


@dataclass(frozen=True, kw_only=True, repr=False)
class Iterative(GradientAttack):
    """Steps of one length along the steepest direction.

    Args:
        steps: gradient steps per restart.
        step_size: length of a step in the input's scale (in the threat's norm); None takes ``reach / steps``
            times the distance that the geometry allows.
    """

    steps: int = 40
    step_size: float | None = None

    reach: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("steps", self.steps, type(self).__name__)
        if self.step_size is not None:
            require_positive("step_size", self.step_size, type(self).__name__)

    @property
    def _rounds(self) -> tuple[int, int]:
        return 1, self.steps

    def _length(self, problem: Problem) -> float:
        if self.step_size is not None:
            return self.step_size
        scale = problem.geometry.step_scale(problem.classifier.bounds, problem.classifier.input_shape)
        return self.reach * scale / self.steps

    def step(self, number: int, problem: Problem, batch: Batch, look: Look) -> Tensor:
        return batch.x + self._length(problem) * problem.geometry.steepest(look.gradient)


@dataclass(frozen=True, kw_only=True, repr=False)
class PGD(Iterative):
    """Projected gradient descent from random points of the ball, with restarts.

    Args:
        restarts: from how many random points; only samples still standing are started again.
        random_start: False starts at the image itself, which with one restart is BIM.

    Limits: a model that stands may be masking its gradients; see the evaluation's flags.
    Source: Madry et al., ICLR 2018. Default step 2.5 eps / steps, as there.
    """

    name: ClassVar[str] = "pgd"
    reach: ClassVar[float] = 2.5

    restarts: int = 1
    random_start: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("restarts", self.restarts, type(self).__name__)
        if not isinstance(self.random_start, bool):  # 'no' would count as yes
            raise ConfigError(f"PGD: random_start is true or false, got {self.random_start!r}")
        if not self.random_start and self.restarts > 1:
            raise ConfigError("PGD: restarts without random_start would all be the same")

    @property
    def _rounds(self) -> tuple[int, int]:
        return self.restarts, self.steps

    def start(self, problem: Problem, batch: Batch, restart: int) -> Tensor:
        if not self.random_start:
            return batch.origin.clone()
        return batch.origin + problem.geometry.uniform(batch.origin, batch.streams)


@dataclass(frozen=True, kw_only=True, repr=False)
class BIM(Iterative):
    """Basic iterative method: small steps from the image itself.

    With a stop rule for each sample it is ``MBGD``.

    Source: Kurakin, Goodfellow, Bengio, ICLR 2017 workshop. Default step eps / steps.
    """

    name: ClassVar[str] = "bim"


@dataclass(frozen=True, kw_only=True, repr=False)
class MIFGSM(Iterative):
    """Iterated steps along an accumulated gradient, which transfer better to other models.

    Args:
        decay: how much of the past is kept; 0 gives BIM.

    Source: Dong et al., CVPR 2018, algorithm 1. Default step eps / steps.
    """

    name: ClassVar[str] = "mi-fgsm"

    steps: int = 10
    decay: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("decay", self.decay, "MIFGSM")
        if not 0 <= self.decay <= 1:
            raise ConfigError(f"MIFGSM: decay must lie in [0, 1], got {self.decay!r}")

    def step(self, number: int, problem: Problem, batch: Batch, look: Look) -> Tensor:
        length = look.gradient.flatten(1).abs().sum(dim=1)
        length = torch.where(length > 0, length, 1.0)  # however small: a sure model's gradients count alike
        fresh = look.gradient / length.view(-1, *([1] * (look.gradient.ndim - 1)))
        past = batch.memory.get("momentum")
        momentum = fresh if past is None else self.decay * past + fresh
        batch.memory["momentum"] = momentum
        return batch.x + self._length(problem) * problem.geometry.steepest(momentum)
