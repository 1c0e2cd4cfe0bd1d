"""A student learns a teacher: what the temperature hides, and what a robust teacher hands down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import hauberk
from hauberk import defenses
from hauberk.attacks import FGSM, PGD
from hauberk.core.errors import ConfigError, UnknownName
from hauberk.datasets import Dataset
from hauberk.defenses.training import DefensiveDistillation, RobustDistillation
from hauberk.defenses.training.distillation import TemperedLesson
from hauberk.models import Classifier
from hauberk.models.training import Moment, TrainingPlan
from hauberk.threats import Linf, Streams, ThreatModel

SMALL = {"channels": [8, 16], "hidden": 32}


def softmax(logits: torch.Tensor) -> torch.Tensor:
    powers = (logits.detach().double() - logits.detach().double().amax(dim=1, keepdim=True)).exp()
    return powers / powers.sum(dim=1, keepdim=True)


def moment_for(images: torch.Tensor) -> Moment:
    return Moment(0.9, Streams.for_samples(0, torch.arange(len(images)), "training", 0))


@pytest.fixture(scope="module")
def distilled(plain: Classifier, digits_train: Dataset) -> Classifier:
    plan = TrainingPlan(epochs=8, batch_size=64, learning_rate=5e-3, schedule="one-cycle")
    return DefensiveDistillation(plan=plan).fit(plain, digits_train, Linf(0.1), name="distilled")


def test_both_losses_divide_by_the_temperature(
    plain: Classifier, hardened: Classifier, digits: Dataset
) -> None:
    images, labels = digits.images[:30], digits.labels[:30]
    at = softmax(plain(images) / 20).log()
    loss, logits = TemperedLesson(20.0).loss(plain, images, labels, images, moment_for(images))
    assert loss.item() == pytest.approx(float(-at[torch.arange(30), labels].mean()), rel=1e-5)
    assert torch.equal(logits, plain(images))
    wanted = softmax(hardened(images) / 20)
    loss, _ = TemperedLesson(20.0, hardened).loss(plain, images, labels, images, moment_for(images))
    assert loss.item() == pytest.approx(float(-(wanted * at).sum() / 30), rel=1e-5)


def test_evidence_names_the_teacher_and_the_teachers_the_classifier(
    plain: Classifier, distilled: Classifier
) -> None:
    birth, teacher, student = distilled.evidence
    assert birth == plain.evidence[-1]
    assert [one.parameters["stage"] for one in (teacher, student)] == ["teacher", "student"]
    assert teacher.parents == (birth.digest,)
    assert student.parents == (teacher.digest,)
    assert student.inputs["model"]["digest"] == teacher.subject["digest"]
    assert student.subject == {"name": "distilled", "digest": distilled.digest}
    assert student.parameters["temperature"] == 20.0


def test_it_hides_the_gradient_and_protects_nothing(
    plain: Classifier, distilled: Classifier, digits: Dataset
) -> None:
    """What Carlini and Wagner found: the cross-entropy at temperature 1 says nothing, the margin says all."""
    images, labels, threat = digits.images[:200], digits.labels[:200], Linf(0.1)
    with torch.no_grad():
        assert float((distilled(images).argmax(dim=1) == labels).float().mean()) > 0.9
        sure = [softmax(one(images)).amax(dim=1).median().item() for one in (plain, distilled)]
    assert 1 - sure[1] < (1 - sure[0]) / 100
    zero = [FGSM()(one, images, labels, threat).zero_gradient.float().mean() for one in (plain, distilled)]
    assert zero[0] == 0
    seen = [FGSM()(one, images, labels, threat).robust_accuracy for one in (plain, distilled)]
    truth = [
        PGD(steps=20, objective="margin")(one, images, labels, threat).robust_accuracy
        for one in (plain, distilled)
    ]
    assert zero[1] > 0.02 or seen[1] > seen[0] + 0.1  # it looks like a cure
    assert truth[1] < truth[0] + 0.15  # and is none


def test_stopped_between_teacher_and_student_it_goes_on(
    plain: Classifier, digits_train: Dataset, tmp_path: Path
) -> None:
    data = digits_train.head(128)
    defense = DefensiveDistillation(plan=TrainingPlan(epochs=1, batch_size=64))
    whole = defense.fit(plain, data, Linf(0.1))

    class Stop(Exception):
        pass

    class Stopping:
        begun: list[int]

        def __init__(self, after: int) -> None:
            self.begun, self.after = [], after

        def begin(self, title: str, total: int) -> None:
            self.begun.append(total)
            if len(self.begun) == self.after:
                raise Stop

        def advance(self, ticks: int = 1, note: str = "") -> None: ...

        def end(self) -> None: ...

    path = tmp_path / "run.safetensors"
    with pytest.raises(Stop):
        defense.fit(plain, data, Linf(0.1), checkpoint=path, progress=Stopping(2))
    assert [one.name for one in tmp_path.glob("*.safetensors")] == ["run-teacher.safetensors"]
    watching = Stopping(0)
    resumed = defense.fit(plain, data, Linf(0.1), checkpoint=path, progress=watching)
    assert watching.begun == [0, 2]  # nothing left to teach the teacher
    assert resumed.digest == whole.digest
    assert [one.name for one in tmp_path.glob("*.safetensors")] == ["run.safetensors"]


def test_teacher_and_student_start_from_different_weights(plain: Classifier, digits_train: Dataset) -> None:
    plan = TrainingPlan(epochs=1, batch_size=64, learning_rate=1e-12, optimizer="sgd")
    defense = DefensiveDistillation(plan=plan)
    student = defense.fit(plain, digits_train.head(64), Linf(0.1))
    assert student.digest not in (plain.digest, student.evidence[-2].subject["digest"])


def test_robust_distillation_loss_and_points(plain: Classifier, hardened: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:30], digits.labels[:30]
    lesson = RobustDistillation(alpha=0.25).lesson(hardened, ThreatModel.of(Linf(0.1)))
    crafted = lesson.craft(plain, images, labels, moment_for(images))
    assert float((crafted - images).abs().max()) <= 0.1 + 1e-6
    assert 0 <= float(crafted.min()) <= float(crafted.max()) <= 1
    loss, logits = lesson.loss(plain, images, labels, crafted, moment_for(images))
    wanted = softmax(hardened(images))
    clean, worst = (
        float((wanted * (wanted.log() - softmax(plain(x)).log())).sum() / 30) for x in (images, crafted)
    )
    assert worst > 2 * clean  # it was climbed
    assert loss.item() == pytest.approx(0.25 * clean + 0.75 * worst, rel=1e-4)
    assert torch.equal(logits, plain(crafted))
    other = lesson.craft(plain, images, (labels + 1) % 10, moment_for(images))
    assert torch.equal(other, crafted)  # no label was looked at


def test_a_robust_teacher_hands_robustness_down(
    hardened: Classifier, digits_train: Dataset, digits: Dataset, tmp_path: Path
) -> None:
    plan = TrainingPlan(epochs=8, batch_size=64, learning_rate=1e-2, schedule="one-cycle")
    defense = RobustDistillation(plan=plan, architecture="cnn", args=SMALL, steps=3, held_out=100)
    before = hardened.digest
    student = defense.fit(hardened, digits_train, Linf(0.1), name="small")
    assert hardened.digest == before
    assert sum(one.numel() for one in student.parameters()) < sum(one.numel() for one in hardened.parameters())
    images, labels = digits.images[:200], digits.labels[:200]
    alone = hauberk.train(hauberk.create("cnn", digits_train, args=SMALL).eval(), digits_train, plan)
    before_it, after = (
        PGD(steps=20)(one, images, labels, Linf(0.1)).robust_accuracy for one in (alone, student)
    )
    assert after > before_it + 0.1
    step = student.evidence[-1]
    assert step.parents == (hardened.evidence[-1].digest,)
    assert step.inputs["model"]["digest"] == step.parameters["teacher"] == hardened.digest
    assert step.parameters["architecture"] == student.architecture == {"name": "cnn", "args": SMALL}
    hauberk.save(student, tmp_path / "small")
    assert hauberk.load(tmp_path / "small").digest == student.digest


def test_the_student_takes_over_the_input_contract(digits_train: Dataset) -> None:
    teacher = Classifier(
        hauberk.create("mlp", digits_train).module,
        input_shape=(1, 8, 8),
        labels=digits_train.classes,
        bounds=(-1.0, 2.0),
        normalization=([0.3], [0.7]),
    ).eval()
    student = RobustDistillation(args=SMALL).student(teacher, 0)
    kept, given = student.contract(), teacher.contract()
    assert (kept["input"], kept["labels"]) == (given["input"], given["labels"])
    twin = RobustDistillation(args=SMALL).student(teacher, 0)
    assert twin.digest == student.digest != RobustDistillation(args=SMALL).student(teacher, 1).digest


@pytest.mark.parametrize("name", ["distill", "distill-robust"])
def test_mixed_labels_are_learnt_from(name: str, plain: Classifier, digits_train: Dataset) -> None:
    method: Any = defenses.make(name, plan={"epochs": 1, "augment": ("mixup",)}, held_out=0)
    trained = method.fit(plain, digits_train.head(128), Linf(0.1))
    assert trained.evidence[-1].parameters["plan"]["augment"] == ["mixup"]


def test_refusals(plain: Classifier, digits_train: Dataset) -> None:
    with pytest.raises(ConfigError, match="temperature must be above 0, got 0"):
        DefensiveDistillation(temperature=0)
    for kind in (DefensiveDistillation, RobustDistillation):
        with pytest.raises(ConfigError, match=f"{kind.__name__}: the student always starts from new weights"):
            kind(fresh=False)
    with pytest.raises(
        UnknownName, match="unknown architecture 'cn' in RobustDistillation; did you mean 'cnn'"
    ):
        RobustDistillation(architecture="cn")
    with pytest.raises(ConfigError, match="args are a table"):
        RobustDistillation(args="wide")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"alpha must lie in \[0, 1\], got 2"):
        RobustDistillation(alpha=2)
    with pytest.raises(UnknownName, match="unknown argument 'chanels' in architecture cnn"):
        RobustDistillation(args={"chanels": [1, 2]}).fit(plain, digits_train.head(64), Linf(0.1))
