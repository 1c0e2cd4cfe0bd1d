"""Jacobian-based augmentation: a few seed images, then points made where the surrogate is still unsure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.attacks.extraction.thief import Attempt, Thief
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count, require_positive
from hauberk.models import Classifier
from hauberk.models.twin import fast_twin, pass_size, passes

_DEFAULT_STEP = 0.1  # of the valid range (lambda in the paper, for inputs in [0, 1])


@dataclass(frozen=True, kw_only=True, repr=False)
class JacobianAugmentation(Thief):
    """A surrogate from a small seed set that doubles itself, round by round, until the budget is spent.

    Each round learns a surrogate from all answers so far, moves every image asked about by one step along the
    sign of the surrogate's gradient for the victim's label, and asks about the moved images. Where the budget
    does not pay for all of them, a random part is moved.

    Args:
        seeds: images taken from the pool at random to begin with.
        step_size: how far each value moves, in the input's scale; None takes a tenth of the valid range.
        period: after so many rounds the step changes its direction, between towards other classes and
            deeper into the victim's.

    Cost: ``log2(queries / seeds)`` trainings of a surrogate, the last one on all answers.
    Limits: the moved images lie near the seeds: a handful of seeds that miss a class will miss it.
    Source: Papernot et al., Practical black-box attacks against machine learning, ASIA CCS 2017, algorithm 1,
        with the alternating step of its section 4.3 (period 3). Differences: the first step leads towards
        other classes; a budget in place of a number of rounds, so no reservoir sampling; surrogates learn
        from scratch each round.
    """

    name: ClassVar[str] = "jacobian"

    seeds: int = 100
    step_size: float | None = None
    period: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("seeds", self.seeds, type(self).__name__)
        require_count("period", self.period, type(self).__name__)
        if self.step_size is not None:
            require_positive("step_size", self.step_size, type(self).__name__)

    def check_budget(self, queries: int, pool: int) -> None:
        if pool < self.seeds:
            raise ConfigError(f"the pool has {pool} images, fewer than the {self.seeds} seeds")
        if queries < self.seeds:
            raise ConfigError(
                f"a budget of {queries} queries does not pay for the {self.seeds} seeds",
                hint="fewer seeds, or more queries",
            )

    def run(self, attempt: Attempt) -> Classifier:
        order = torch.randperm(len(attempt.images), generator=attempt.generator("seeds"))
        attempt.ask(attempt.images[order[: self.seeds]])
        surrogate = attempt.learn()
        number = 0
        while attempt.left:
            attempt.ask(self._moved(surrogate, attempt, number))
            surrogate = attempt.learn()
            number += 1
        return surrogate

    def _moved(self, surrogate: Classifier, attempt: Attempt, number: int) -> Tensor:
        """New images, at most as many as the budget pays for."""
        known = attempt.transcript
        images, labels = known.images, known.answers.argmax(dim=1)
        if len(images) > attempt.left:
            order = torch.randperm(len(images), generator=attempt.generator("part", number))
            part = order[: attempt.left].sort().values
            images, labels = images[part], labels[part]
        lower, upper = known.bounds.tensors(images)
        step = _DEFAULT_STEP * (upper - lower) if self.step_size is None else self.step_size
        away = -1 if (number // self.period) % 2 == 0 else 1
        moved = images + away * step * label_gradient(surrogate, images, labels).sign()
        return torch.minimum(torch.maximum(moved, lower), upper)


def label_gradient(classifier: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    """The gradient of each image's label probability, up to a positive factor; on the CPU.

    Its logarithm is differentiated in its place: the same signs, without the underflow where the surrogate is
    sure.
    """
    twin = fast_twin(classifier)
    parts = []
    for part in passes(len(images), pass_size(twin)):
        point = images[part].to(twin.device).requires_grad_(True)
        with torch.enable_grad():
            scores = F.log_softmax(twin(point).float(), dim=1)
            wanted = scores.gather(1, labels[part].to(twin.device)[:, None]).sum()
            (slope,) = torch.autograd.grad(wanted, point)
        parts.append(slope.cpu())
    return torch.cat(parts)
