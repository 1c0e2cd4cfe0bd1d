"""Poisoners change training data; ``hauberk.evaluation.poisoning`` retrains on it and measures the damage.

poisoner = BadNets(rate=0.05, target=7)
poisoned = poisoner(data, seed=1)
poisoned.data, poisoned.touched, poisoned.trigger
"""

from __future__ import annotations

from typing import Any

from hauberk.attacks.poisoning.backdoor import BadNets, Blended
from hauberk.attacks.poisoning.clean_label import CleanLabel
from hauberk.attacks.poisoning.flipping import ClassFlip, RandomFlip, WorstFlip
from hauberk.attacks.poisoning.poisoner import Poisoned, Poisoner
from hauberk.attacks.poisoning.trigger import Trigger
from hauberk.core.settings import configure

POISONERS: dict[str, type[Poisoner]] = {
    one.name: one for one in (RandomFlip, ClassFlip, WorstFlip, BadNets, Blended, CleanLabel)
}


def make(name: str, **settings: Any) -> Poisoner:
    """A poisoner by its name and settings, refusing what does not exist.

    Raises:
        UnknownName: no such poisoner, or no such setting.
        ConfigError: a setting out of range, or one that lacks.
    """
    return configure(POISONERS, name, settings, what="poisoner", where="poisoning.make")


__all__ = [
    "POISONERS",
    "BadNets",
    "Blended",
    "ClassFlip",
    "CleanLabel",
    "Poisoned",
    "Poisoner",
    "RandomFlip",
    "Trigger",
    "WorstFlip",
    "make",
]
