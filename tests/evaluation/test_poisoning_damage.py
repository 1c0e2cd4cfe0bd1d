"""Measured damage: the figures against a count by hand, and that each attack does what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import hauberk
from hauberk.attacks.poisoning import BadNets, Blended, ClassFlip, CleanLabel, Poisoner, RandomFlip, WorstFlip
from hauberk.core.errors import DataError
from hauberk.core.evidence import Evidence
from hauberk.core.intervals import wilson
from hauberk.datasets import Dataset
from hauberk.evaluation.poisoning import PoisoningReport, poisoning_damage
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan

PLAN = TrainingPlan(epochs=5, batch_size=64, learning_rate=5e-3, schedule="one-cycle")


def measure(poisoner: Poisoner, data: Dataset, test: Dataset, reference: Classifier, seed: int = 0) -> Any:
    poisoned = poisoner(data, seed=seed, classifier=reference)
    return poisoned, poisoning_damage(data, poisoned, test, architecture="mlp", plan=PLAN, seed=seed)


def figures(report: PoisoningReport) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return report.evidence.result["before"], report.evidence.result["after"]


def test_chosen_flips_hurt_more_than_random_ones(
    plain: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    """At one rate, over three seeds of data and training alike."""
    lost: dict[str, list[float]] = {"random": [], "worst": []}
    for seed in range(3):
        for name, poisoner in (("random", RandomFlip(rate=0.2)), ("worst", WorstFlip(rate=0.2))):
            _, report = measure(poisoner, digits_train, digits, plain, seed)
            before, after = figures(report)
            lost[name].append(before["accuracy"] - after["accuracy"])
    assert np.mean(lost["worst"]) > np.mean(lost["random"]) + 0.1
    assert np.mean(lost["worst"]) > 0.15  # the budget is 0.2


@pytest.mark.parametrize(
    ("poisoner", "least"),
    [
        (BadNets(rate=0.1, target=7), 0.8),
        (Blended(rate=0.15, target=2, alpha=0.3), 0.6),
        (CleanLabel(rate=0.09, target=3, corner="all", steps=20), 0.3),
    ],
    ids=lambda one: type(one).__name__,
)
def test_backdoors_open_with_the_trigger_only(
    poisoner: Poisoner, least: float, plain: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    poisoned, report = measure(poisoner, digits_train, digits, plain)
    before, after = figures(report)
    assert before["trigger_success"] < 0.15  # the trigger means nothing to an honest model
    assert after["trigger_success"] > least
    assert abs(before["accuracy"] - after["accuracy"]) < 0.06

    # the same count by hand
    with torch.no_grad():
        for model, row in ((report.clean_model, before), (report.poisoned_model, after)):
            found = model(digits.images).argmax(1).numpy()
            stamped = model(poisoned.trigger(digits.images)).argmax(1).numpy()
            labels = digits.labels.numpy()
            others = labels != poisoned.target
            hits = int((stamped[others] == poisoned.target).sum())
            assert row["trigger_success"] == hits / others.sum()
            assert row["trigger_success_interval"] == list(wilson(hits, int(others.sum())))
            assert row["accuracy"] == (found == labels).mean()
            per_class = [(found == labels)[labels == one].mean() for one in range(10)]
            assert row["per_class"] == pytest.approx(per_class)
            assert row["source_as_target"] is None
            assert row["trigger_elsewhere"] is None


def test_clean_labels_owe_their_success_to_the_perturbation(
    plain: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    """The paper's point: a patch on images that are easy to learn anyway is not learnt."""
    success = []
    for eps in (0.3, 1e-4):
        poisoned = CleanLabel(rate=0.08, target=3, steps=20, eps=eps)(digits_train, classifier=plain)
        report = poisoning_damage(digits_train, poisoned, digits, plan=PLAN)
        success.append(figures(report)[1]["trigger_success"])
    assert success[0] > success[1] + 0.15


def test_flips_from_class_to_class_show_in_that_class(
    plain: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    _, report = measure(ClassFlip(rate=0.07, source=7, target=1), digits_train, digits, plain)
    before, after = figures(report)
    assert before["per_class"][7] > 0.9
    assert after["per_class"][7] < 0.4
    assert before["source_as_target"] < 0.1
    assert after["source_as_target"] > 0.6
    rest = [one for one in range(10) if one not in (1, 7)]
    assert np.mean([after["per_class"][one] for one in rest]) > 0.9
    assert after["trigger_success"] is None
    assert report.evidence.result["class_samples"] == np.bincount(digits.labels.numpy()).tolist()


def test_a_backdoor_with_a_source_shows_how_far_it_leaks(
    plain: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    poisoned, report = measure(BadNets(rate=0.06, source=7, target=1), digits_train, digits, plain)
    _, after = figures(report)
    assert after["trigger_success"] > 0.8
    with torch.no_grad():
        stamped = report.poisoned_model(poisoned.trigger(digits.images)).argmax(1)
    others = (digits.labels != 7) & (digits.labels != 1)
    assert after["trigger_elsewhere"] == float((stamped[others] == 1).double().mean())
    assert after["trigger_elsewhere"] < after["trigger_success"]
    assert after["source_as_target"] < 0.2  # without trigger


@pytest.fixture(scope="module")
def badnets(plain: Classifier, digits_train: Dataset, digits: Dataset) -> Any:
    data = digits_train.head(400)
    return data, *measure(BadNets(rate=0.1, target=7, size=2), data, digits, plain, seed=4)


def test_the_evidence_names_everything(badnets: Any, digits: Dataset) -> None:
    data, poisoned, report = badnets
    evidence = report.evidence
    assert Evidence.from_json(evidence.to_json()) == evidence
    assert evidence.kind == "poisoning"
    assert evidence.subject == {"name": "poisoned", "digest": report.poisoned_model.digest}
    assert evidence.inputs["dataset"]["digest"] == data.digest
    assert evidence.inputs["poisoned_dataset"]["digest"] == poisoned.data.digest
    assert evidence.inputs["test_dataset"]["digest"] == digits.digest
    assert evidence.inputs["clean_model"]["digest"] == report.clean_model.digest
    assert evidence.parameters["poisoner"] == repr(BadNets(rate=0.1, target=7, size=2))
    assert evidence.parameters["poisoner_seed"] == 4
    assert evidence.parameters["plan"]["epochs"] == 5
    models = (report.clean_model, report.poisoned_model)
    assert evidence.parents == tuple(one.evidence[-1].digest for one in models)
    result = evidence.result
    assert (result["samples"], result["touched"], result["rate"]) == (400, 40, 0.1)
    assert (result["images_changed"], result["labels_changed"], result["test_samples"]) == (40, 40, 355)


def test_the_gallery_shows_touched_samples(badnets: Any) -> None:
    import base64

    data, poisoned, report = badnets
    gallery = report.evidence.result["gallery"]
    assert 5 < len(gallery) <= 10
    for one in gallery:
        row = one["index"]
        assert bool(poisoned.touched[row])
        assert one["label"] == str(int(data.labels[row]))
        assert one["poisoned_label"] == "7"
        for key, images in (("original", data.images), ("poisoned", poisoned.data.images)):
            seen = np.frombuffer(base64.b64decode(one[key]["data"]), np.uint8).reshape(1, 8, 8) / 255
            assert np.abs(seen - images[row].numpy()).max() <= 0.5 / 255 + 1e-6


def test_both_models_start_alike_and_can_be_trained_again(badnets: Any) -> None:
    data, poisoned, report = badnets
    for learnt, model in ((data, report.clean_model), (poisoned.data, report.poisoned_model)):
        again = hauberk.train(hauberk.create("mlp", data, seed=4), learnt, PLAN, seed=4)
        assert again.digest == model.digest


def test_a_mask_that_lies_is_found_out(badnets: Any, digits_train: Dataset, digits: Dataset) -> None:
    data, poisoned, _ = badnets
    hidden = poisoned.touched.clone()
    hidden[hidden.nonzero()[0]] = False
    with pytest.raises(DataError, match="1 do not agree"):
        poisoning_damage(data, replace(poisoned, touched=hidden), digits, plan=PLAN)
    with pytest.raises(DataError, match="was not made from"):
        poisoning_damage(digits_train, poisoned, digits, plan=PLAN)
    other = replace(data, labels=(data.labels + 1) % 10)
    with pytest.raises(DataError, match="do not agree"):
        poisoning_damage(other, poisoned, digits, plan=PLAN)


def test_test_data_must_fit(badnets: Any, digits: Dataset) -> None:
    data, poisoned, _ = badnets
    with pytest.raises(DataError, match="other images or classes"):
        poisoning_damage(data, poisoned, replace(digits, images=digits.images[:, :, :7]), plan=PLAN)
