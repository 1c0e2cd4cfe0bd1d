"""Unlearning a backdoor: reconstruct its stamp, then teach the network that the stamp means nothing."""

from __future__ import annotations

import copy
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from hauberk.attacks.poisoning import Trigger
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_count, require_within
from hauberk.datasets import Dataset
from hauberk.defenses.cleansing.reverse import Reconstruction, reconstruct
from hauberk.defenses.cleansing.rows import with_facts
from hauberk.defenses.defense import TrainingDefense, born_as
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Moment, Plain, TrainingPlan, learn
from hauberk.threats import Geometry, ThreatModel


@dataclass(frozen=True, kw_only=True)
class NeuralCleanse(TrainingDefense):
    """Finds classes that a small stamp opens, and fine-tunes with that stamp on rightly labelled images.

    Args:
        plan: of the fine-tuning.
        steps: of the reconstruction for each class.
        images: stamped in each of these steps.
        success: share of stamped images that a reconstructed stamp must turn.
        threshold: anomaly index from which a class is suspected.
        stamped: share of each batch that carries a suspected stamp while the network unlearns it.

    The threat given to ``fit`` is not used. Where no class is suspected, ``fit`` changes no weight.

    Cost: ``steps`` passes over ``images`` stamped images for each class, and the fine-tuning.
    Limits: needs data that are rightly labelled. Sees backdoors that a small mark opens for images of every
        class; a faint pattern over the whole image, a mark for one source class only, or several targets at
        once can escape. A class that a few natural strokes reach is accused wrongly now and then: look at the
        pictures. The reconstructed stamp need not look like the attacker's.
    Source: Wang et al., Neural Cleanse, IEEE S&P 2019: sections IV-B (reconstruction, with its rising and
        falling price of the mask), IV-C (median absolute deviation, threshold 2), VI-C (unlearning). The mask
        starts half open in every pixel, and classes are optimised side by side.
    """

    name: ClassVar[str] = "neural-cleanse"
    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    plan: TrainingPlan = TrainingPlan(epochs=3)
    steps: int = 300
    images: int = 32
    success: float = 0.98
    threshold: float = 2.0
    stamped: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("steps", "images"):
            require_count(name, getattr(self, name), "NeuralCleanse", least=10)
        for name, interval in (("success", "(0, 1]"), ("threshold", "(0, 1e6]"), ("stamped", "(0, 1]")):
            require_within(name, getattr(self, name), "NeuralCleanse", interval)
        if self.fresh:
            raise ConfigError("NeuralCleanse: it mends the weights there are; leave fresh false")

    def search(
        self, classifier: Classifier, data: Dataset, *, seed: int = 0, progress: Progress = SILENT
    ) -> Reconstruction:
        """The smallest stamp for each class, and the classes that stand out; see ``reconstruct``."""
        return reconstruct(
            classifier, data, steps=self.steps, batch_size=self.images, success=self.success,
            threshold=self.threshold, seed=seed, progress=progress,
        )  # fmt: skip

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        return Plain()

    def fit(
        self,
        classifier: Classifier,
        data: Dataset,
        threat: ThreatModel | Geometry | None = None,
        *,
        seed: int = 0,
        name: str = "cleansed",
        checkpoint: str | Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """As ``Defense.fit``; the last evidence's ``reconstruction`` says what was found in each class."""
        return self.unlearn(
            classifier, data, self.search(classifier, data, seed=seed, progress=progress),
            seed=seed, name=name, checkpoint=checkpoint, progress=progress,
        )  # fmt: skip

    def unlearn(
        self,
        classifier: Classifier,
        data: Dataset,
        found: Reconstruction,
        *,
        seed: int = 0,
        name: str = "cleansed",
        checkpoint: str | Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """``fit`` with a reconstruction at hand."""
        started = time.perf_counter()
        settings = {key: value for key, value in asdict(self).items() if key not in ("plan", "held_out")}
        if not found.suspected:
            return self._untouched(classifier, data, settings, found, seed, name, started)
        learnt, kept_aside = self.set_aside(data)
        triggers = tuple(found.triggers[label] for label in found.suspected)
        model = learn(
            classifier,
            learnt,
            self.plan,
            Unlearning(triggers, self.stamped),
            kind="hardening",
            method=self.name,
            settings=settings,
            held_out=kept_aside,
            seed=seed,
            name=name,
            checkpoint=checkpoint,
            progress=progress,
        )
        return with_facts(model, started, reconstruction=found.describe())

    def _untouched(
        self,
        classifier: Classifier,
        data: Dataset,
        settings: dict[str, Any],
        found: Reconstruction,
        seed: int,
        name: str,
        started: float,
    ) -> Classifier:
        """A copy, with evidence that it was looked at and nothing was done."""
        same = copy.deepcopy(classifier).eval()
        evidence = Evidence(
            kind="hardening",
            subject={"name": name, "digest": same.digest},
            inputs={"dataset": data.describe(), **born_as(classifier)},
            parameters={
                "architecture": classifier.architecture,
                "plan": asdict(self.plan),
                "method": self.name,
                **settings,
            },
            result={"history": [], "best_epoch": None, "reconstruction": found.describe()},
            seed=seed,
            parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
            duration_s=round(time.perf_counter() - started, 3),
        )
        same.evidence = (*classifier.evidence, evidence)
        return same


@dataclass(frozen=True, eq=False)
class Unlearning(Plain):
    """Ordinary learning, but ``share`` of each batch carries one of the triggers under its true label."""

    triggers: tuple[Trigger, ...]
    share: float

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        carries = moment.streams.fork(0).uniform(()).to(images.device) < self.share
        which = moment.streams.fork(1).integers(len(self.triggers), ()).to(images.device)
        crafted = images.clone()
        for number, trigger in enumerate(self.triggers):
            rows = (carries & (which == number)).nonzero().squeeze(1)
            crafted[rows] = trigger(images[rows])
        return crafted


__all__ = ["NeuralCleanse", "Unlearning"]
