"""The frame of a training-time defence: a classifier and data in, a hardened classifier out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import torch

from hauberk.core.errors import ConfigError
from hauberk.core.progress import SILENT, Progress
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
            ConfigError: threat, data and classifier do not fit each other.
            TrainingDiverged: the loss is no longer a number.
        """
        check_classifier(classifier)
        threat = ThreatModel.of(threat)
        threat.check_fits(classifier.bounds, classifier.input_shape)
        kept_aside = None
        held_out = min(_HELD_OUT_MOST, len(data) // 10) if self.held_out is None else self.held_out
        if held_out:
            data, kept_aside = data.split(held_out)
        lesson = self.lesson(classifier, threat)
        start = _restarted(classifier, seed) if self.fresh else classifier
        settings = {key: value for key, value in asdict(self).items() if key not in ("plan", "held_out")}
        return learn(
            start,
            self.prepare(classifier, data, threat, seed),
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
    import copy

    from hauberk.core.seeds import derive_seed

    blank = copy.deepcopy(classifier)
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
    return blank
