"""Poisoned rows and backdoors: each step against a second computation, each defence against real poison."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hauberk
from hauberk import defenses
from hauberk.attacks.poisoning import BadNets, Poisoned, RandomFlip, Trigger
from hauberk.core.errors import ConfigError, DataError, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.defenses.cleansing import (
    ActivationClustering,
    ConfidentLearning,
    Finding,
    FinePruning,
    NeuralCleanse,
    Reconstruction,
    SpectralSignatures,
)
from hauberk.defenses.cleansing.clustering import silhouette, two_means, whitened
from hauberk.defenses.cleansing.confident import confident_class
from hauberk.defenses.cleansing.fine_pruning import channel_activity
from hauberk.defenses.cleansing.neural_cleanse import Unlearning
from hauberk.defenses.cleansing.reverse import anomaly_index
from hauberk.defenses.cleansing.rows import MOST_LISTED
from hauberk.models import Classifier
from hauberk.models.features import features
from hauberk.models.training import Moment, TrainingPlan, accuracy
from hauberk.threats import Linf, Streams

PLAN = TrainingPlan(epochs=8, batch_size=64, learning_rate=5e-3, schedule="one-cycle")
TARGET = 7


@dataclass(frozen=True)
class Backdoored:
    poisoned: Poisoned
    model: Classifier

    def success(self, model: Classifier, test: Dataset) -> float:
        """Counted here, not by evaluation."""
        assert self.poisoned.trigger is not None
        victims = test.images[test.labels != TARGET]
        with torch.no_grad():
            return float((model(self.poisoned.trigger(victims)).argmax(1) == TARGET).float().mean())


@pytest.fixture(scope="module")
def backdoored(digits_train: Dataset) -> Backdoored:
    poisoned = BadNets(rate=0.05, target=TARGET)(digits_train, seed=0)
    model = hauberk.train(hauberk.create("cnn", digits_train), poisoned.data, PLAN, seed=0, name="poisoned")
    return Backdoored(poisoned, model)


@pytest.fixture(scope="module")
def stamps(backdoored: Backdoored, digits_train: Dataset) -> Reconstruction:
    return NeuralCleanse(steps=150).search(backdoored.model, digits_train.head(400))


def shares(found: Finding, touched: Tensor) -> tuple[float, float, float]:
    """Precision, recall, and the share of honest rows flagged."""
    hits = int((found.flagged & touched).sum())
    return (
        hits / max(1, int(found.flagged.sum())),
        hits / int(touched.sum()),
        float((found.flagged & ~touched).sum() / (~touched).sum()),
    )


# features


def test_features_are_what_the_last_linear_layer_reads(plain: Classifier, digits: Dataset) -> None:
    found = features(plain, digits.images[:150])  # more than one pass
    last = [one for one in plain.modules() if isinstance(one, nn.Linear)][-1]
    with torch.no_grad():
        logits = found.float() @ last.weight.T + last.bias
        assert torch.allclose(logits, plain(digits.images[:150]), atol=1e-4)
    assert not any(one._forward_pre_hooks for one in plain.modules())


# activation clustering


def test_two_means_is_the_best_split_in_two() -> None:
    """Against all splits of nine points."""
    for seed in range(5):
        points = torch.randn(9, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        found = two_means(points, torch.Generator().manual_seed(seed))

        def spread(mask: Tensor, points: Tensor = points) -> float:
            sides = (points[mask], points[~mask])
            return sum(float((side - side.mean(0)).square().sum()) for side in sides)

        splits = [torch.tensor(one) for one in itertools.product([False, True], repeat=9) if 0 < sum(one) < 9]
        assert spread(found) == pytest.approx(min(map(spread, splits)))
        assert int(found.sum()) <= 4


def test_silhouette_by_its_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(12, 3, generator=generator, dtype=torch.float64)
    apart = torch.arange(12) < 4
    values = []
    for one in range(12):
        away = [float((points[one] - points[other]).norm()) for other in range(12)]
        own = [away[other] for other in range(12) if other != one and apart[other] == apart[one]]
        across = [away[other] for other in range(12) if apart[other] != apart[one]]
        a, b = float(np.mean(own)), float(np.mean(across))
        values.append((b - a) / max(a, b))
    assert silhouette(points, apart) == pytest.approx(np.mean(values))
    assert silhouette(points, torch.zeros(12, dtype=torch.bool)) == 0.0


def test_whitened_points_have_the_unit_covariance() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(200, 6, generator=generator, dtype=torch.float64) @ torch.randn(
        6, 6, generator=generator, dtype=torch.float64
    )
    low = whitened(points, 4)
    assert torch.allclose(low.T @ low / 200, torch.eye(4, dtype=torch.float64), atol=1e-9)
    flat = torch.cat([points[:, :2], torch.zeros(200, 4, dtype=torch.float64)], dim=1)
    assert whitened(flat, 4).shape == (200, 2)  # no direction is made out of rounding


def test_activation_clustering_finds_the_backdoor_and_little_else(backdoored: Backdoored) -> None:
    found = ActivationClustering().find(backdoored.model, backdoored.poisoned.data)
    precision, recall, false = shares(found, backdoored.poisoned.touched)
    assert recall > 0.6
    assert precision > 0.6
    assert false < 0.03
    assert [one["label"] for one in found.classes if one["flagged"]] == [TARGET]


def test_activation_clustering_leaves_clean_data_mostly_alone(plain: Classifier, digits_train: Dataset) -> None:
    found = ActivationClustering().find(plain, digits_train)
    assert float(found.flagged.float().mean()) < 0.05


# spectral signatures


def test_spectral_scores_are_squared_distances_along_the_main_direction(backdoored: Backdoored) -> None:
    """By numpy's eigenvectors of the covariance, and the number dropped by the formula."""
    data = backdoored.poisoned.data
    found = SpectralSignatures(expected=0.2).find(backdoored.model, data)
    points = features(backdoored.model, data.images).double().numpy()
    for label in (0, TARGET):
        rows = (data.labels == label).numpy().nonzero()[0]
        centred = points[rows] - points[rows].mean(0)
        _, directions = np.linalg.eigh(centred.T @ centred)
        along = (centred @ directions[:, -1]) ** 2
        assert found.scores[rows].numpy() == pytest.approx(along / along.mean(), rel=1e-6)
        assert int(found.flagged[rows].sum()) == int(1.5 * 0.2 * len(rows))
        assert found.scores[rows][found.flagged[rows]].min() >= found.scores[rows][~found.flagged[rows]].max()


def test_spectral_signatures_find_most_poisoned_rows_of_a_named_class(backdoored: Backdoored) -> None:
    data, touched = backdoored.poisoned.data, backdoored.poisoned.touched
    found = SpectralSignatures(expected=0.33, classes=(TARGET,)).find(backdoored.model, data)
    precision, recall, false = shares(found, touched)
    base = float(touched[data.labels == TARGET].float().mean())
    assert recall > 0.6
    assert precision > 1.25 * base  # better than drawing rows of the class at random
    assert false < 0.06  # no row of another class
    assert not bool(found.flagged[data.labels != TARGET].any())


# confident learning


def test_confident_class_by_the_paper_s_definition() -> None:
    generator = torch.Generator().manual_seed(1)
    probabilities = torch.rand(40, 4, generator=generator, dtype=torch.float64) ** 3
    probabilities /= probabilities.sum(1, keepdim=True)
    labels = torch.randint(3, (40,), generator=generator)  # nobody is called 3
    found = confident_class(probabilities, labels).tolist()
    p, y = probabilities.numpy(), labels.numpy()
    threshold = {one: p[y == one, one].mean() for one in range(3)}
    for row in range(40):
        sure = [one for one in range(3) if p[row, one] >= threshold[one]]
        assert found[row] == (max(sure, key=lambda one: p[row, one]) if sure else -1)
    assert -1 in found
    assert any(one not in (-1, label) for one, label in zip(found, labels.tolist(), strict=True))


def test_confident_learning_finds_flipped_labels_and_not_the_backdoor(
    digits_train: Dataset, backdoored: Backdoored
) -> None:
    defense = ConfidentLearning(folds=3, plan=replace(PLAN, epochs=6))
    flipped = RandomFlip(rate=0.1)(digits_train, seed=2)
    blank = hauberk.create("mlp", digits_train).eval()
    found = defense.find(blank, flipped.data)
    precision, recall, false = shares(found, flipped.touched)
    assert precision > 0.7  # the flip rate is 0.1
    assert recall > 0.6
    assert false < 0.04
    assert float(found.scores[flipped.touched].mean()) > float(found.scores[~flipped.touched].mean()) + 0.5
    # the folds learn the trigger too: what the Limits say
    assert shares(defense.find(blank, backdoored.poisoned.data), backdoored.poisoned.touched)[1] < 0.5


# learning anew


def test_learning_without_the_found_rows_closes_the_backdoor(backdoored: Backdoored, digits: Dataset) -> None:
    data = backdoored.poisoned.data
    defense = ActivationClustering(plan=PLAN)
    healed = defense.fit(backdoored.model, data, Linf(0.1), name="healed")
    assert backdoored.success(backdoored.model, digits) > 0.9
    assert backdoored.success(healed, digits) < 0.2
    before = accuracy(backdoored.model, digits.images, digits.labels)
    assert accuracy(healed, digits.images, digits.labels) > before - 0.05
    birth, step = healed.evidence
    assert step.kind == "hardening"
    assert step.parents == (birth.digest,)
    assert birth == backdoored.model.evidence[-1]
    assert step.subject == {"name": "healed", "digest": healed.digest}
    assert step.parameters["made_from"]["digest"] == data.digest
    found = defense.find(backdoored.model, data)
    removed = step.result["removed"]
    assert removed["flagged"] == len(removed["rows"]) == int(found.flagged.sum())
    assert {row for row, _ in removed["rows"]} == set(found.flagged.nonzero().squeeze(1).tolist())
    scores = [score for _, score in removed["rows"]]
    assert scores == sorted(scores, reverse=True)
    assert step.inputs["dataset"]["samples"] == len(data) - removed["flagged"]
    again = defense.fit(backdoored.model, data, Linf(0.1), name="healed")
    assert again.digest == healed.digest


def test_evidence_lists_so_many_rows_and_counts_all() -> None:
    count = MOST_LISTED + 5
    told = Finding(torch.arange(count).double(), torch.ones(count, dtype=torch.bool)).describe()
    assert told["flagged"] == count
    assert len(told["rows"]) == MOST_LISTED
    assert told["rows"][0] == [count - 1, float(count - 1)]


# neural cleanse


def test_anomaly_index_by_hand() -> None:
    values = torch.tensor([10.0, 11.0, 12.0, 13.0, 2.0])
    # the median is 11; the deviations are 1, 0, 1, 2, 9 with median 1
    assert anomaly_index(values).tolist() == pytest.approx([one / 1.4826 for one in (1, 0, 1, 2, 9)])
    assert anomaly_index(torch.full((5,), 3.0)).tolist() == [0.0] * 5


def test_neural_cleanse_singles_out_the_target(
    stamps: Reconstruction, backdoored: Backdoored, digits: Dataset
) -> None:
    assert stamps.suspected == (TARGET,)
    assert float(stamps.norms[TARGET]) < 0.7 * float(stamps.norms.median())
    for label, trigger in enumerate(stamps.triggers):
        assert float(trigger.mask[0].sum()) == pytest.approx(float(stamps.norms[label]), rel=1e-5)
        assert 0 <= float(trigger.mask.min()) <= float(trigger.mask.max()) <= 1
    victims = digits.images[digits.labels != TARGET]
    with torch.no_grad():
        turned = backdoored.model(stamps.triggers[TARGET](victims)).argmax(1) == TARGET
    assert float(turned.float().mean()) > 0.9  # on images that the search did not see


def test_a_clean_model_is_not_accused_and_not_changed(plain: Classifier, digits_train: Dataset) -> None:
    same = NeuralCleanse(steps=150).fit(plain, digits_train.head(400), name="looked-at")
    step = same.evidence[-1]
    assert step.result["reconstruction"]["suspected"] == []
    assert step.parents == (plain.evidence[-1].digest,)
    assert same.digest == plain.digest
    assert same is not plain


def test_unlearning_the_stamp_closes_the_backdoor(
    stamps: Reconstruction, backdoored: Backdoored, digits_train: Dataset, digits: Dataset
) -> None:
    mended = NeuralCleanse(plan=TrainingPlan(epochs=3)).unlearn(backdoored.model, digits_train, stamps)
    assert backdoored.success(mended, digits) < 0.2
    before = accuracy(backdoored.model, digits.images, digits.labels)
    assert accuracy(mended, digits.images, digits.labels) > before - 0.05
    told = mended.evidence[-1].result["reconstruction"]
    assert told["suspected"] == [TARGET]
    assert told["classes"][TARGET]["trigger"] == repr(stamps.triggers[TARGET])


def test_a_share_of_each_batch_is_stamped(plain: Classifier, digits: Dataset) -> None:
    triggers = []
    for row in (0, 7):
        mask = torch.zeros(1, 8, 8)
        mask[:, row] = 1.0
        triggers.append(Trigger(mask, torch.full((1, 8, 8), 0.5), f"row {row}"))
    lesson = Unlearning(tuple(triggers), 0.4)
    images, labels = digits.images[:300], digits.labels[:300]
    moment = Moment(0.0, Streams.for_samples(0, torch.arange(300), "training", 0))
    crafted = lesson.craft(plain, images, labels, moment)
    carried = [(crafted[:, 0, row] == 0.5).all(1) for row in (0, 7)]
    assert not bool((carried[0] & carried[1]).any())
    assert 0.3 < float((carried[0] | carried[1]).float().mean()) < 0.5
    assert min(int(one.sum()) for one in carried) > 30
    untouched = ~(carried[0] | carried[1])
    assert torch.equal(crafted[untouched], images[untouched])
    assert torch.equal(images, digits.images[:300])


# fine-pruning


def test_activity_is_the_mean_positive_output_of_the_last_convolution(
    plain: Classifier, digits: Dataset
) -> None:
    layer, activity = channel_activity(plain, digits.images[:200])
    convolutions = [one for one in plain.module.modules() if isinstance(one, nn.Conv2d)]
    assert plain.get_submodule(layer) is convolutions[-1]
    module: Any = plain.module
    x = digits.images[:200]
    with torch.no_grad():
        for step in module:
            if step is convolutions[-1]:
                x = F.conv2d(x, step.weight, step.bias, padding=step.padding)
                break
            x = step(x)
    assert activity.numpy() == pytest.approx(x.clamp_min(0).mean(dim=(0, 2, 3)).numpy(), rel=1e-4)


def test_fine_pruning_keeps_channels_at_zero_and_lowers_the_success(
    backdoored: Backdoored, digits_train: Dataset, digits: Dataset
) -> None:
    plan = TrainingPlan(epochs=8, batch_size=64, learning_rate=5e-3, averaging=0.9)
    defense = FinePruning(plan=plan, drop=0.1)
    mended = defense.fit(backdoored.model, digits_train)
    told = mended.evidence[-1].result["pruned"]
    assert told["pruned"]
    convolution: Any = mended.get_submodule(told["layer"])
    rows = torch.zeros(told["channels"], dtype=torch.bool)
    rows[told["pruned"]] = True
    assert not bool(convolution.weight[rows].any())
    assert not bool(convolution.bias[rows].any())
    assert bool(convolution.weight[~rows].flatten(1).any(1).all())
    assert told["held_out_accuracy_pruned"] >= told["held_out_accuracy"] - 0.1
    assert backdoored.success(mended, digits) < 0.6
    before = accuracy(backdoored.model, digits.images, digits.labels)
    assert accuracy(mended, digits.images, digits.labels) > before - 0.05
    # the least active go first
    layer, activity = channel_activity(backdoored.model, digits_train.head(len(digits_train) - 144).images)
    assert layer == told["layer"]
    assert told["pruned"] == activity.argsort(stable=True)[: len(told["pruned"])].tolist()


# poisoned data on disk


@pytest.mark.parametrize("poisoner", [BadNets(rate=0.05, target=2, source=3), RandomFlip(rate=0.05)], ids=repr)
def test_poisoned_data_come_back_from_a_file(poisoner: Any, digits_train: Dataset, tmp_path: Path) -> None:
    made = poisoner(digits_train.head(900), seed=5)
    again = Poisoned.load(made.save(tmp_path / "one.safetensors"), digits_train)
    assert again.data.digest == made.data.digest
    assert again.data.name == made.data.name
    assert torch.equal(again.touched, made.touched)
    for name in ("target", "source", "recipe", "seed", "reference"):
        assert getattr(again, name) == getattr(made, name)
    assert (again.trigger is None) == (made.trigger is None)
    if made.trigger is not None and again.trigger is not None:
        assert repr(again.trigger) == repr(made.trigger)


def test_a_file_of_something_else_is_refused(digits_train: Dataset, digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        Poisoned.load(tmp_path / "nothing.safetensors", digits_train)
    (tmp_path / "text.safetensors").write_text("no tensors here")
    with pytest.raises(DataError, match="cannot be read"):
        Poisoned.load(tmp_path / "text.safetensors", digits_train)
    safetensors.torch.save_file({"images": torch.zeros(2, 1, 8, 8)}, tmp_path / "half.safetensors")
    with pytest.raises(DataError, match="'labels' lacks"):
        Poisoned.load(tmp_path / "half.safetensors", digits_train)
    path = RandomFlip(rate=0.1)(digits_train).save(tmp_path / "large.safetensors")
    with pytest.raises(DataError, match="not made from"):
        Poisoned.load(path, digits)


# misuse


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("confident-learning", {"folds": 1}, "folds must be a whole number of at least 2"),
        ("spectral-signatures", {"expected": 0.0}, r"expected is a share in \(0, 0.5\]"),
        ("spectral-signatures", {"expected": 0.6}, r"expected is a share in \(0, 0.5\]"),
        ("spectral-signatures", {"classes": ["seven"]}, "classes are numbers of classes, got 'seven'"),
        ("activation-clustering", {"components": 0}, "components must be a whole number"),
        ("activation-clustering", {"smaller": 0.7}, r"smaller must lie in \[0, 0.5\]"),
        ("activation-clustering", {"silhouette": "high"}, "silhouette must lie in"),
        ("neural-cleanse", {"steps": 5}, "steps must be a whole number of at least 10"),
        ("neural-cleanse", {"stamped": 1.5}, "stamped must lie in"),
        ("neural-cleanse", {"threshold": 0}, "threshold must lie in"),
        ("neural-cleanse", {"fresh": True}, "leave fresh false"),
        ("fine-pruning", {"drop": 1.0}, r"drop must lie in \[0, 1\)"),
        ("fine-pruning", {"held_out": 0}, "held_out images say how far to prune"),
        ("fine-pruning", {"fresh": True}, "leave fresh false"),
    ],
)
def test_settings_out_of_range_are_named(method: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        defenses.make(method, **settings)


METHODS = ("confident-learning", "spectral-signatures", "activation-clustering", "neural-cleanse")


@pytest.mark.parametrize("method", METHODS)
def test_data_that_say_nothing_are_refused(method: str, plain: Classifier, digits_train: Dataset) -> None:
    defense = defenses.make(method)
    alone = digits_train.select((digits_train.labels == 3).nonzero().squeeze(1), note="threes")
    with pytest.raises(DataError, match="have one label"):
        defense.fit(plain, alone, Linf(0.1))
    few = digits_train.select(
        torch.cat([torch.arange(300), (digits_train.labels == 0).nonzero()[:1, 0]]), note="a"
    )
    few = replace(few, labels=torch.where(few.labels == 9, 8, few.labels))
    few.labels[-1] = 9
    with pytest.raises(DataError, match=r"class '9' of .* has 1 images: .* needs at least"):
        defense.fit(plain, few, Linf(0.1))
    other = Dataset("other", torch.zeros(40, 1, 9, 9), torch.arange(40) % 10, digits_train.classes)
    with pytest.raises(ConfigError, match="the classifier takes"):
        defense.fit(plain, other, Linf(0.1))


def test_networks_without_the_layer_are_refused(digits_train: Dataset) -> None:
    pooled = nn.Sequential(nn.Conv2d(1, 10, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = Classifier(pooled, input_shape=(1, 8, 8), labels=digits_train.classes).eval()
    for method in ("spectral-signatures", "activation-clustering"):
        with pytest.raises(UnsupportedModel, match="no linear layer"):
            defenses.make(method).fit(model, digits_train, Linf(0.1))
    dense = hauberk.create("mlp", digits_train).eval()
    with pytest.raises(UnsupportedModel, match="channels of a convolution"):
        FinePruning().fit(dense, digits_train)


def test_few_classes_are_not_told_apart(digits_train: Dataset) -> None:
    rows = (digits_train.labels < 3).nonzero().squeeze(1)
    three = replace(digits_train.select(rows, note="three"), classes=("0", "1", "2"))
    with pytest.raises(ConfigError, match="has 3 classes: which of them stands out can be said from 5 on"):
        NeuralCleanse().fit(hauberk.create("cnn", three).eval(), three)


def test_a_class_that_is_not_there_cannot_be_searched(plain: Classifier, digits_train: Dataset) -> None:
    with pytest.raises(ConfigError, match="no images of class 12"):
        SpectralSignatures(classes=(12,)).find(plain, digits_train)


def test_dropping_all_but_one_class_is_refused(plain: Classifier, digits_train: Dataset) -> None:
    found = Finding(torch.zeros(len(digits_train)).double(), digits_train.labels != 4)
    with pytest.raises(DataError, match="nothing to tell apart"):
        ActivationClustering().relearn(plain, digits_train, found)
