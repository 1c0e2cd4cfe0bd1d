"""What a gradient attack climbs: losses per sample, from logits, that grow as the attacker comes closer.

Every objective serves untargeted (away from ``labels``) and targeted (towards ``targets``) attacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError, check_known


class Objective(Protocol):
    """A configured, immutable loss."""

    def __call__(self, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        """Loss ``(n,)`` to be maximised, for logits ``(n, classes)`` and int64 labels ``(n,)``."""


def _rivals_best(logits: Tensor, labels: Tensor) -> Tensor:
    """The largest logit among all classes but ``labels``."""
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.amax(dim=1)


def _wide(logits: Tensor) -> Tensor:
    """Half precision would lose small differences, and DLR's guard against 0 / 0."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _of(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None]).squeeze(1)


def attacker_margin(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """How far the attacker is ahead, in logits ``(n,)``; positive means that he has won."""
    if targets is None:
        return _rivals_best(logits, labels) - _of(logits, labels)
    return _of(logits, targets) - _rivals_best(logits, targets)


def fooled(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """Boolean ``(n,)``: predicted otherwise than ``labels``, or as ``targets`` when there are some."""
    predicted = logits.argmax(dim=1)
    return predicted != labels if targets is None else predicted == targets


@dataclass(frozen=True)
class CrossEntropy:
    """The training loss. Its gradient vanishes in float32 where the model is very sure."""

    def __call__(self, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        logits = _wide(logits)
        if targets is None:
            return F.cross_entropy(logits, labels, reduction="none")
        return -F.cross_entropy(logits, targets, reduction="none")


@dataclass(frozen=True)
class Margin:
    """Difference of logits between the best rival and the label (Carlini and Wagner, S&P 2017, f6).

    Its gradient does not vanish when softmax saturates.
    """

    def __call__(self, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        return attacker_margin(_wide(logits), labels, targets)


@dataclass(frozen=True)
class Towards:
    """Difference of logits between a wanted class and the label, whatever the other classes do.

    For an attacker who wants any wrong label and tries them one by one. Needs targets.
    """

    def __call__(self, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        if targets is None:
            raise ConfigError("the towards objective needs a wanted class for each image")
        logits = _wide(logits)
        return _of(logits, targets) - _of(logits, labels)


@dataclass(frozen=True)
class DLR:
    """Difference of logits ratio (Croce and Hein, ICML 2020, eq. 6 and 7): the margin, free of logit scale.

    Needs at least three classes, four when targeted.
    """

    def __call__(self, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        needed = 3 if targets is None else 4
        if logits.shape[1] < needed:
            raise ConfigError(
                f"the DLR objective needs {needed} classes, the model has {logits.shape[1]}",
                hint="use the margin objective",
            )
        logits = _wide(logits)
        ordered = logits.sort(dim=1, descending=True).values
        if targets is None:
            spread = ordered[:, 0] - ordered[:, 2]
            ahead = _rivals_best(logits, labels) - _of(logits, labels)
        else:
            spread = ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2
            ahead = _of(logits, targets) - _of(logits, labels)
        return ahead / (spread + 1e-12)


OBJECTIVES: dict[str, Objective] = {
    "cross-entropy": CrossEntropy(),
    "margin": Margin(),
    "dlr": DLR(),
    "towards": Towards(),
}


def objective(name: str | Objective) -> Objective:
    """An objective by its name, or itself."""
    if not isinstance(name, str):
        if not callable(name) or isinstance(name, type):
            raise ConfigError(f"an objective is a name or a configured one such as DLR(), got {name!r}")
        return name
    check_known([name], OBJECTIVES, what="objective", where="the attack")
    return OBJECTIVES[name]
