"""Robust distillation: a small network learns a robust one's answers, where they are hardest to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from hauberk.core.errors import ConfigError, check_known
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.core.settings import require_within
from hauberk.datasets import Dataset
from hauberk.defenses.defense import check_threat, needed, told
from hauberk.defenses.training.adversarial import InnerAttackTraining
from hauberk.defenses.training.climbing import climb
from hauberk.defenses.training.distillation import check_fresh
from hauberk.defenses.training.divergence import divergence
from hauberk.defenses.training.schedule import RobustLesson
from hauberk.models import ARCHITECTURES, Classifier
from hauberk.models.architectures import build
from hauberk.models.training import Moment, check_labels_differ, learn
from hauberk.models.twin import fast_twin
from hauberk.threats import Geometry, ThreatModel


@dataclass(frozen=True, kw_only=True)
class RobustDistillation(InnerAttackTraining):
    """A small network learns a robust one's answers, on the images and at the points where it differs most.

    The given classifier is the teacher and stays as it is; the result is a network of another architecture,
    with new weights and the same input contract. No label is used. Further settings as ``AdversarialTraining``.

    Args:
        architecture: of the student, a name in ``hauberk.models.ARCHITECTURES``.
        args: of that architecture, such as ``{"channels": [8, 16], "hidden": 32}``.
        alpha: weight of the images themselves, in [0, 1]; the worst points have the rest.
        fresh: always; the student is another network.

    Cost: ``steps + 2`` times the passes of plain training of the student, and two forward passes
        of the teacher.
    Limits: it hands down what is there: of a teacher that is not robust itself the student learns nothing that
        holds. Otherwise as adversarial training.
    Source: RSLAD: Zi et al., ICCV 2021, equation 6 (its weights, 1/6 and 5/6); after ARD: Goldblum et al.,
        AAAI 2020, which attacks the cross-entropy and keeps the labels for clean images.
    """

    name: ClassVar[str] = "distill-robust"
    starts_anew: ClassVar[bool] = True
    mixes: ClassVar[bool] = True

    fresh: bool = True
    architecture: str = "cnn"
    args: Mapping[str, Any] = field(default_factory=dict)
    alpha: float = 1 / 6

    def __post_init__(self) -> None:
        super().__post_init__()
        check_known([self.architecture], ARCHITECTURES, what="architecture", where="RobustDistillation")
        given: object = self.args
        if not isinstance(given, Mapping):
            raise ConfigError(f"RobustDistillation: args are a table of the architecture's, got {given!r}")
        require_within("alpha", self.alpha, "RobustDistillation", "[0, 1]")
        check_fresh(self)

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> RobustDistillationLesson:
        return RobustDistillationLesson(self, needed(threat, self.name), fast_twin(classifier))

    def student(self, teacher: Classifier, seed: int) -> Classifier:
        """The untrained student, on the teacher's device, with the teacher's history."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            module = build(self.architecture, teacher.input_shape, teacher.num_classes, self.args)
        scaling = teacher.normalization
        return (
            Classifier(
                module,
                input_shape=teacher.input_shape,
                labels=teacher.labels,
                bounds=teacher.bounds,
                normalization=None
                if scaling is None
                else (scaling.mean.flatten().tolist(), scaling.std.flatten().tolist()),
                architecture={"name": self.architecture, "args": dict(self.args)},
                evidence=teacher.evidence,
            )
            .to(teacher.device)
            .eval()
        )

    def fit(
        self,
        classifier: Classifier,
        data: Dataset,
        threat: ThreatModel | Geometry | None = None,
        *,
        seed: int = 0,
        name: str = "hardened",
        checkpoint: str | Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """As ``TrainingDefense.fit``, with ``classifier`` as the teacher.

        Raises:
            ConfigError: the teacher rejects inputs, or the architecture's arguments do not fit.
        """
        threat = check_threat(classifier, threat)
        check_labels_differ(data)
        if classifier.rejects:
            raise ConfigError(
                "a teacher that rejects inputs has an answer that the student cannot give",
                hint="distil from the model without its detector",
            )
        data, held_out = self.set_aside(data)
        elsewhere = ("plan", "held_out", "architecture", "args")  # in the evidence
        own = {key: value for key, value in asdict(self).items() if key not in elsewhere}
        return learn(
            self.student(classifier, seed),
            data,
            self.plan,
            self.lesson(classifier, threat),
            kind="hardening",
            method=self.name,
            settings={**told(threat), "teacher": classifier.digest, **own},
            held_out=held_out,
            seed=seed,
            name=name,
            checkpoint=checkpoint,
            progress=progress,
        )


@dataclass(frozen=True, eq=False)
class RobustDistillationLesson(RobustLesson):
    """Climbs away from the teacher's answer to the image, and learns that answer at both ends."""

    mixes: ClassVar[bool] = True

    defense: RobustDistillation
    teacher: Classifier

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        wanted = self._answers(images)
        return climb(
            model,
            images,
            lambda logits: divergence(wanted, logits).sum(),
            self.geometry(moment.fraction),
            moment,
            steps=self.defense.steps,
            reach=self.defense.reach,
        )

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        wanted, alpha, worst = self._answers(images), self.defense.alpha, model(crafted)
        clean = divergence(wanted, model(images)).mean()
        return alpha * clean + (1 - alpha) * divergence(wanted, worst).mean(), worst

    @torch.no_grad()
    def _answers(self, images: Tensor) -> Tensor:
        answers: Tensor = self.teacher(images)
        return answers
