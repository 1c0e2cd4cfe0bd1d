"""The frame of a training-time defence: a classifier and data in, a hardened classifier out."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import torch

from hauberk.core.errors import ConfigError
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier
from hauberk.models.training import Lesson, TrainingPlan, learn
from hauberk.threats import Geometry, ThreatModel

_HELD_OUT_MOST = 500  # enough to tell epochs apart, cheap to attack after each


@dataclass(frozen=True, kw_only=True)
class Defense(ABC):
    """A configured, immutable way to harden a classifier by further training.

    Args:
        plan: how to learn; see ``TrainingPlan``.
        held_out: how many of the data's last images to keep aside for choosing the best epoch; None takes a
            tenth, at most 500; 0 keeps none and takes the last epoch.
        fresh: start from new random weights instead of those of the classifier.
    """

    name: ClassVar[str]

    plan: TrainingPlan = TrainingPlan()
    held_out: int | None = 0
    fresh: bool = False

    def __post_init__(self) -> None:
        where = type(self).__name__
        if not isinstance(self.plan, TrainingPlan):
            raise ConfigError(f"{where}: plan must be a TrainingPlan, got {self.plan!r}")
        kept: object = self.held_out
        if kept is not None and (isinstance(kept, bool) or not isinstance(kept, int) or kept < 0):
            raise ConfigError(f"{where}: held_out must be a whole number of at least 0, got {kept!r}")
        if not isinstance(self.fresh, bool):  # 'no' would count as yes
            raise ConfigError(f"{where}: fresh is true or false, got {self.fresh!r}")

    @abstractmethod
    def lesson(self, classifier: Classifier, threat: ThreatModel) -> Lesson:
        """What is learnt against ``threat``."""

    def prepare(self, classifier: Classifier, data: Dataset, threat: ThreatModel, seed: int) -> Dataset:
        """The data to learn from; attacks on the given classifier go in here."""
        return data

    def fit(
        self,
        classifier: Classifier,
        data: Dataset,
        threat: ThreatModel | Geometry,
        *,
        seed: int = 0,
        name: str = "hardened",
        checkpoint: str | Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """Harden a copy of ``classifier``.

        Args:
            data: training data; ``held_out`` of it are kept aside.
            threat: the attacker to prepare for.
            name: of the hardened model, for its evidence.
            checkpoint: file to resume from and keep up to date.

        Returns:
            a new classifier in eval mode, whose last ``evidence`` (kind ``hardening``) has the history.

        Raises:
            ConfigError: threat, data and classifier do not fit each other, or the threat is targeted.
            TrainingDiverged: the loss is no longer a number.
        """
        check_classifier(classifier)
        threat = ThreatModel.of(threat)
        threat.check_fits(classifier.bounds, classifier.input_shape)
        if threat.targeted:
            raise ConfigError(
                "hardening prepares for an untargeted attacker, who is the stronger one",
                hint="give the geometry alone, and evaluate with the targeted threat",
            )
        kept_aside = None
        held_out = min(_HELD_OUT_MOST, len(data) // 10) if self.held_out is None else self.held_out
        if held_out:
            data, kept_aside = data.split(held_out)
        lesson = self.lesson(classifier, threat)
        start = _restarted(classifier, seed) if self.fresh else classifier
        settings = {key: value for key, value in asdict(self).items() if key not in ("plan", "held_out")}
        learnt = self.prepare(classifier, data, threat, seed)
        if learnt is not data:
            settings["made_from"] = data.describe()
        return learn(
            start,
            learnt,
            self.plan,
            lesson,
            kind="hardening",
            method=self.name,
            settings={"threat": threat.describe(), **settings},
            held_out=kept_aside,
            seed=seed,
            name=name,
            checkpoint=checkpoint,
            progress=progress,
        )


def _restarted(classifier: Classifier, seed: int) -> Classifier:
    """The same network with new random weights; what it was before stays in its evidence."""
    blank = copy.deepcopy(classifier).cpu()  # the same weights whatever the device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        for module in blank.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
            elif any(True for _ in module.parameters(recurse=False)):
                raise ConfigError(
                    f"fresh weights: {type(module).__name__} does not know how to reset its parameters",
                    hint="harden from the present weights (fresh = false)",
                )
    return blank.to(classifier.device)
