"""Defences make a classifier from a classifier; what they are worth is for ``hauberk.evaluation`` to say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import configure
from hauberk.datasets import Dataset
from hauberk.defenses.adversarial import AdversarialTraining
from hauberk.defenses.augmentation import FGSMAugmentation
from hauberk.defenses.defense import Defense
from hauberk.models import Classifier
from hauberk.threats import Geometry, ThreatModel

DEFENSES: dict[str, type[Defense]] = {one.name: one for one in (AdversarialTraining, FGSMAugmentation)}


def make(name: str, *, epochs: int | None = None, **settings: Any) -> Defense:
    """A defence by its name and settings, refusing what does not exist.

    Args:
        epochs: short for a plan that differs from the defence's own in its epochs alone.

    Raises:
        UnknownName: no such defence, or no such setting.
        ConfigError: a setting out of range.
    """
    defense = configure(DEFENSES, name, settings, what="method", where="defenses.make")
    return defense if epochs is None else replace(defense, plan=replace(defense.plan, epochs=epochs))


def harden(
    classifier: Classifier,
    data: Dataset,
    threat: ThreatModel | Geometry,
    *,
    method: str | Defense = "pgd",
    epochs: int | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Classifier:
    """A hardened copy of a classifier, by adversarial training unless another method is named.

    Args:
        method: a name in ``DEFENSES``, or a configured defence.
        epochs: passes over the data; None takes the method's own.
    """
    defense = make(method) if isinstance(method, str) else method
    if epochs is not None:
        defense = replace(defense, plan=replace(defense.plan, epochs=epochs))
    return defense.fit(classifier, data, threat, seed=seed, progress=progress)


__all__ = ["DEFENSES", "AdversarialTraining", "Defense", "FGSMAugmentation", "harden", "make"]
