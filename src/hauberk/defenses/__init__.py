"""Defences make a classifier from a classifier; what they are worth is for ``hauberk.evaluation`` to say."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hauberk.core.errors import ConfigError
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import check_settings, configure
from hauberk.datasets import Dataset
from hauberk.defenses import cleansing, inference, several, training
from hauberk.defenses.defense import Defense, TrainingDefense, Wrap
from hauberk.defenses.training import AdversarialTraining, FGSMAugmentation
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan
from hauberk.threats import Geometry, ThreatModel

DEFENSES: dict[str, type[Defense]] = {
    one.name: one for one in (*training.DEFENSES, *inference.DEFENSES, *several.DEFENSES, *cleansing.DEFENSES)
}


def make(name: str, *, plan: dict[str, Any] | None = None, **settings: Any) -> Defense:
    """A defence by its name and settings, refusing what does not exist.

    Args:
        plan: settings of a ``TrainingPlan`` that differ from those of the defence's own; to what has no such
            plan, settings of its own by the same name (``epochs`` of an autoencoder).

    Raises:
        UnknownName: no such defence, or no such setting.
        ConfigError: a setting out of range, or a plan for what does not train.
    """
    if plan and name in DEFENSES and not DEFENSES[name].learns:
        own = {one.name for one in fields(DEFENSES[name])} & plan.keys()
        settings = {**settings, **{key: plan[key] for key in own}}
        plan = {key: value for key, value in plan.items() if key not in own}
    defense: Any = configure(DEFENSES, name, settings, what="method", where="defenses.make")
    if not plan:
        made: Defense = defense
        return made
    if not defense.learns:
        raise ConfigError(
            f"method {name} does not train: it has no {', '.join(sorted(plan))}", hint="leave it out"
        )
    check_settings(TrainingPlan, plan, where="the training plan")
    planned: Defense = replace(defense, plan=replace(defense.plan, **plan))
    return planned


def harden(
    classifier: Classifier,
    data: Dataset,
    threat: ThreatModel | Geometry | None = None,
    *,
    method: str | Defense = "pgd",
    epochs: int | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Classifier:
    """A hardened copy of a classifier, by adversarial training unless another method is named.

    Args:
        threat: what to prepare for; None for methods that do not look at it.
        method: a name in ``DEFENSES``, or a configured defence.
        epochs: passes over the data; None takes the method's own.
    """
    if isinstance(method, str):
        method = make(method, plan={} if epochs is None else {"epochs": epochs})
    elif epochs is not None:
        raise ConfigError("epochs go into the plan of a configured defence")
    return method.fit(classifier, data, threat, seed=seed, progress=progress)


__all__ = [
    "DEFENSES",
    "AdversarialTraining",
    "Defense",
    "FGSMAugmentation",
    "TrainingDefense",
    "Wrap",
    "harden",
    "make",
]
