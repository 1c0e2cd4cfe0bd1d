"""How to learn: one record of settings for plain training and for every training-time defence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from hauberk.core.errors import ConfigError, check_known
from hauberk.core.settings import require_count, require_number, require_positive, require_within
from hauberk.datasets.augmentation import augmentations

_OPTIMIZERS = ("adam", "adamw", "sgd")
_SCHEDULES = ("constant", "cosine", "one-cycle")
_WARM_SHARE = 0.2  # of a one-cycle schedule goes up


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How to learn.

    Args:
        epochs: passes over the data.
        batch_size: images per step.
        optimizer: ``adam``, ``adamw`` or ``sgd`` (Nesterov momentum 0.9).
        learning_rate: highest rate of the schedule.
        weight_decay: as the optimiser understands it.
        schedule: ``constant``, ``cosine`` (down to 0) or ``one-cycle`` (up for a fifth, then cosine down).
        averaging: decay per step of an exponential average of the weights, which is then the result; 0: none.
        weight_perturbation: above 0, each step is taken with the gradient found at weights moved against the
            loss by this share of each layer's norm (AWP: Wu et al., NeurIPS 2020; 0.005 there), from the third
            part of training on; costs a further pass.
        augment: what is done to each batch first, by name, such as ``("shift", "rotation:15")``; see
            ``hauberk.datasets.augmentation``.
        mixed_precision: bfloat16 where the device has it (never on CPUs, where it is slower).
    """

    epochs: int = 5
    batch_size: int = 128
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "one-cycle"] = "constant"
    averaging: float = 0.0
    weight_perturbation: float = 0.0
    augment: tuple[str, ...] = ()
    mixed_precision: bool = True

    def __post_init__(self) -> None:
        check_known([self.optimizer], _OPTIMIZERS, what="optimizer", where="TrainingPlan")
        check_known([self.schedule], _SCHEDULES, what="schedule", where="TrainingPlan")
        for name in ("epochs", "batch_size"):
            require_count(name, getattr(self, name), "TrainingPlan")
        for name in ("learning_rate", "weight_decay", "averaging", "weight_perturbation"):
            require_number(name, getattr(self, name), "TrainingPlan")
        require_positive("learning_rate", self.learning_rate, "TrainingPlan")
        require_within("averaging", self.averaging, "TrainingPlan", "[0, 1)")
        for name in ("weight_decay", "weight_perturbation"):
            if getattr(self, name) < 0:
                raise ConfigError(f"TrainingPlan: {name} cannot be negative, got {getattr(self, name)!r}")
        named: object = self.augment
        if not isinstance(named, str | list | tuple):
            raise ConfigError(f"TrainingPlan: augment must be a name or several, got {named!r}")
        object.__setattr__(self, "augment", (named,) if isinstance(named, str) else tuple(named))
        augmentations(self.augment)

    def rate(self, fraction: float) -> float:
        """Learning rate after ``fraction`` (0 to 1) of all steps."""
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * fraction)) / 2
        if self.schedule == "one-cycle":
            if fraction < _WARM_SHARE:
                return self.learning_rate * max(fraction / _WARM_SHARE, 0.02)
            down = (fraction - _WARM_SHARE) / (1 - _WARM_SHARE)
            return self.learning_rate * (1 + math.cos(math.pi * down)) / 2
        return self.learning_rate
