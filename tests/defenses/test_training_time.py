from __future__ import annotations

import copy

import pytest
import torch

import hauberk
from hauberk import defenses
from hauberk.attacks import PGD
from hauberk.attacks.objectives import CrossEntropy
from hauberk.core.errors import ConfigError, UnknownName
from hauberk.datasets import Dataset
from hauberk.defenses import AdversarialTraining, FGSMAugmentation
from hauberk.defenses.training.adversarial import AdversarialLesson
from hauberk.defenses.training.climbing import frozen
from hauberk.models import Classifier
from hauberk.models.training import Moment, TrainingPlan
from hauberk.threats import L2, Knowledge, Linf, Streams, ThreatModel


def test_hardening_names_the_step_before(plain: Classifier, hardened: Classifier) -> None:
    birth, step = hardened.evidence
    assert birth == plain.evidence[-1]
    assert step.kind == "hardening"
    assert step.parents == (birth.digest,)
    assert step.subject["digest"] == hardened.digest
    assert step.inputs["model"]["digest"] == plain.digest
    assert step.parameters["threat"]["eps"] == 0.2
    history = step.result["history"]
    assert [row["epoch"] for row in history] == list(range(1, 9))
    radii = [row["eps"] for row in history]
    assert radii == sorted(radii)
    assert radii[-1] == pytest.approx(0.2)
    best = max(history, key=lambda row: row["held_out_robust"])
    assert history[step.result["best_epoch"] - 1]["held_out_robust"] == best["held_out_robust"]


def test_the_given_model_is_untouched(plain: Classifier, digits_train: Dataset) -> None:
    before = plain.digest
    defense = AdversarialTraining(plan=TrainingPlan(epochs=1), held_out=0, steps=1)
    hardened = defense.fit(plain, digits_train.head(128), L2(0.5))
    assert plain.digest == before != hardened.digest
    assert not hardened.training


def test_inner_attack_stays_inside_and_raises_the_loss(plain: Classifier, digits: Dataset) -> None:
    seen: list[torch.Tensor] = []

    class Watching(Classifier):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.detach().clone())
            return super().forward(x)

    model = Watching(plain.module, input_shape=(1, 8, 8), labels=10).eval()
    lesson = AdversarialLesson(AdversarialTraining(warmup=0.0), ThreatModel.of(Linf(0.1)))
    images, labels = digits.images[:64], digits.labels[:64]
    streams = Streams.for_samples(0, torch.arange(64), "training", 0)
    crafted = lesson.craft(model, images, labels, Moment(0.5, streams))
    model(crafted)
    losses = [CrossEntropy()(plain(x), labels, None).sum().item() for x in seen]
    assert losses[-1] > losses[0] > 0
    for x in seen:
        assert float((x - images).abs().max()) <= 0.1 + 1e-6
        assert 0 <= float(x.min()) <= float(x.max()) <= 1


def test_frozen_gives_everything_back(plain: Classifier) -> None:
    model = copy.deepcopy(plain).train()
    fixed = next(model.parameters())
    fixed.requires_grad_(False)
    with frozen(model):
        assert not model.training
        assert not any(one.requires_grad for one in model.parameters())
    assert all(module.training for module in model.modules())
    assert [one.requires_grad for one in model.parameters()][:2] == [False, True]


def test_fgsm_augmentation_learns_its_own_samples_and_still_falls(
    plain: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    threat = Linf(0.2)
    defense = FGSMAugmentation(plan=TrainingPlan(epochs=6, batch_size=64, learning_rate=2e-3))
    retrained = defense.fit(plain, digits_train, threat)
    old_samples = hauberk.attacks.FGSM()(plain, digits.images, digits.labels, threat).candidates
    with torch.no_grad():
        before = float((plain(old_samples).argmax(1) == digits.labels).float().mean())
        after = float((retrained(old_samples).argmax(1) == digits.labels).float().mean())
    assert after > before + 0.3  # it looks like a cure
    truth = PGD(steps=40)(retrained, digits.images, digits.labels, threat).robust_accuracy
    assert truth < after - 0.3  # and is none


def test_fresh_weights_differ_and_keep_the_history(plain: Classifier, digits_train: Dataset) -> None:
    defense = AdversarialTraining(plan=TrainingPlan(epochs=1), held_out=0, steps=1, fresh=True)
    fresh = defense.fit(plain, digits_train.head(64), Linf(0.01))
    onward = AdversarialTraining(plan=TrainingPlan(epochs=1), held_out=0, steps=1).fit(
        plain, digits_train.head(64), Linf(0.01)
    )
    assert fresh.digest != onward.digest
    assert fresh.evidence[0] == plain.evidence[0]


def test_harden_in_one_line(plain: Classifier, digits_train: Dataset) -> None:
    hardened = hauberk.harden(plain, digits_train.head(300), Linf(0.1), epochs=1)
    assert hardened.evidence[-1].parameters["method"] == "pgd"
    assert hardened.evidence[-1].parameters["plan"]["epochs"] == 1


def test_misuse(plain: Classifier, digits_train: Dataset) -> None:
    with pytest.raises(UnknownName, match="did you mean 'pgd'"):
        defenses.make("pdg")
    with pytest.raises(UnknownName, match="did you mean 'steps'"):
        defenses.make("pgd", step=3)
    with pytest.raises(ConfigError, match="steps"):
        AdversarialTraining(steps=0)
    with pytest.raises(ConfigError, match="warmup"):
        AdversarialTraining(warmup=1.0)
    for settings in ({"held_out": -1}, {"held_out": "x"}, {"fresh": "no"}, {"plan": 3}):
        with pytest.raises(ConfigError, match=next(iter(settings))):
            FGSMAugmentation(**settings)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=next(iter(settings))):
            AdversarialTraining(**settings)  # type: ignore[arg-type]
    for name in ("reach", "warmup", "margin"):
        with pytest.raises(ConfigError, match=name):
            AdversarialTraining(**{name: "x"})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="untargeted"):
        hauberk.harden(plain, digits_train, ThreatModel(Linf(0.1), targeted=True))
    with pytest.raises(ConfigError, match="larger than the valid range"):
        hauberk.harden(plain, digits_train, Linf(2.0))
    with pytest.raises(ConfigError, match="cannot hold out"):
        AdversarialTraining(held_out=5000).fit(plain, digits_train, Linf(0.1))
    learning = copy.deepcopy(plain).train()
    with pytest.raises(ConfigError, match="train mode"):
        hauberk.harden(learning, digits_train, Linf(0.1))
    mnist_like = hauberk.create("mlp", digits_train).eval()
    mnist_like.input_shape = (1, 28, 28)
    with pytest.raises(ConfigError, match="the classifier takes"):
        hauberk.harden(mnist_like, digits_train, Linf(0.1))


def test_held_out_data_are_attacked_whatever_the_attacker_may_ask(
    plain: Classifier, digits_train: Dataset
) -> None:
    defense = AdversarialTraining(plan=TrainingPlan(epochs=1), held_out=60, steps=1)
    threat = ThreatModel(Linf(0.3), knowledge=Knowledge.SCORES, queries=1)
    (row,) = defense.fit(plain, digits_train.head(128), threat).evidence[-1].result["history"]
    assert row["held_out_robust"] < row["held_out_accuracy"] - 0.2


def test_evidence_names_the_data_that_samples_were_made_from(plain: Classifier, digits_train: Dataset) -> None:
    data = digits_train.head(64)
    step = FGSMAugmentation(plan=TrainingPlan(epochs=1)).fit(plain, data, Linf(0.1)).evidence[-1]
    assert step.parameters["made_from"] == data.describe()
    assert step.inputs["dataset"]["samples"] == 128
