"""Defensive distillation: a network learns another's answers at a high temperature."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.core.settings import require_positive
from hauberk.datasets import Dataset
from hauberk.defenses.defense import TrainingDefense, check_threat, restarted, told
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Moment, TrainingPlan, check_labels_differ, learn
from hauberk.models.twin import fast_twin
from hauberk.threats import Geometry, ThreatModel


@dataclass(frozen=True, kw_only=True)
class DefensiveDistillation(TrainingDefense):
    """A teacher with new weights learns the labels, a student with new weights the teacher's answers.

    Both divide their logits by ``temperature`` while they learn, and neither does afterwards: the student's
    answers come out so sure that the gradient of the cross-entropy vanishes in float32. Of the given
    classifier the network is taken, not the weights.

    Args:
        temperature: above 0; the paper settles on 20 and tries 1 to 100.
        fresh: always; there is nothing to distil into weights that know the answer.

    Cost: twice plain training, and a forward pass for each image. Resuming keeps a second checkpoint, beside
        the first, for the teacher, until the student is done.
    Limits: none of its robustness is real. It masks gradients: attacks on the cross-entropy stand still, while
        attacks on the margin of the logits, or from another model, go through as if nothing had been done
        (Carlini and Wagner, S&P 2017, broke it with success 100 %). It is here to be measured.
    Source: Papernot et al., S&P 2016, section IV.
    """

    name: ClassVar[str] = "distill"
    starts_anew: ClassVar[bool] = True
    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    plan: TrainingPlan = TrainingPlan(epochs=10)
    fresh: bool = True
    temperature: float = 20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("temperature", self.temperature, "DefensiveDistillation")
        check_fresh(self)

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        return TemperedLesson(self.temperature, fast_twin(classifier))

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
        """As ``TrainingDefense.fit``; the evidence names the teacher, and the teacher's the classifier."""
        threat = check_threat(classifier, threat)
        check_labels_differ(data)
        data, held_out = self.set_aside(data)
        own = {key: value for key, value in asdict(self).items() if key not in ("plan", "held_out")}

        def taught(start: Classifier, lesson: Lesson, stage: str, seed: int, file: Path | None) -> Classifier:
            return learn(
                restarted(start, seed),
                data,
                self.plan,
                lesson,
                kind="hardening",
                method=self.name,
                settings={**told(threat), "stage": stage, **own},
                held_out=held_out,
                seed=seed,
                name=name if stage == "student" else f"{name}-teacher",
                checkpoint=file,
                progress=progress,
            )

        file = None if checkpoint is None else Path(checkpoint)
        aside = None if file is None else file.with_name(f"{file.stem}-teacher{file.suffix}")
        # 32 bits, which every reader of the evidence's JSON keeps
        other = derive_seed(seed, "teacher") >> 31
        teacher = taught(classifier, TemperedLesson(self.temperature), "teacher", other, aside)
        student = taught(teacher, self.lesson(teacher, threat), "student", seed, file)
        if aside is not None:
            aside.unlink(missing_ok=True)
        return student


@dataclass(frozen=True, eq=False)
class TemperedLesson(Lesson):
    """Cross-entropy of the logits over the temperature: with the labels, or with a teacher's answers."""

    mixes: ClassVar[bool] = True

    temperature: float
    teacher: Classifier | None = None

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(crafted)
        wanted = labels if self.teacher is None else self._answers(images)
        return F.cross_entropy(logits / self.temperature, wanted), logits

    @torch.no_grad()
    def _answers(self, images: Tensor) -> Tensor:
        assert self.teacher is not None
        return F.softmax(self.teacher(images).float() / self.temperature, dim=1)


def check_fresh(defense: TrainingDefense) -> None:
    """Refuse to go on from the weights that are there."""
    if not defense.fresh:
        raise ConfigError(
            f"{type(defense).__name__}: the student always starts from new weights", hint="leave fresh out"
        )
