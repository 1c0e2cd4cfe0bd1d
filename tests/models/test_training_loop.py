"""What the training loop does beyond plain steps: moved weights, augmentation, replays, and a way back."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hauberk
from hauberk.core.errors import ConfigError, DataError, UnknownName
from hauberk.datasets import Dataset
from hauberk.datasets.augmentation import Draw, augmentations
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Moment, Plain, TrainingDiverged, TrainingPlan, learn, train
from hauberk.models.training.perturbation import moved_weights


def taught(lesson: Lesson, classifier: Classifier, data: Dataset, plan: TrainingPlan) -> Classifier:
    return learn(
        classifier, data, plan, lesson, kind="training", method="test", settings={}, held_out=None, seed=0,
        name="taught", checkpoint=None, progress=hauberk.core.progress.SILENT,
    )  # fmt: skip


def test_weights_move_up_the_loss_and_come_back(plain: Classifier, digits: Dataset) -> None:
    model = copy.deepcopy(plain)
    images, labels = digits.images[:64], digits.labels[:64]
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    at_rest = F.cross_entropy(model(images), labels)
    with moved_weights(model, lambda: F.cross_entropy(model(images), labels), 0.01):
        assert F.cross_entropy(model(images), labels) > at_rest
        for name, one in model.named_parameters():
            moved = (one.detach() - before[name]).norm()
            assert moved == pytest.approx(0.01 * before[name].norm().item() if one.ndim > 1 else 0.0, rel=1e-3)
    assert all(torch.equal(one, before[name]) for name, one in model.named_parameters())


def test_perturbation_of_weights_changes_what_is_learnt(digits_train: Dataset) -> None:
    start = hauberk.create("cnn", digits_train, seed=1)
    data = digits_train.head(256)
    plain = train(start, data, TrainingPlan(epochs=2))
    moved = train(start, data, TrainingPlan(epochs=2, weight_perturbation=0.02))
    again = train(start, data, TrainingPlan(epochs=2, weight_perturbation=0.02))
    assert plain.digest != moved.digest == again.digest


@dataclass(frozen=True)
class Poisonous(Lesson):
    """Plain for so many steps; then the loss is no number."""

    calls: list[int]
    good: int

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        self.calls.append(1)
        logits = model(images)
        loss = F.cross_entropy(logits, labels)
        return (loss if len(self.calls) <= self.good else loss * torch.nan), logits


def test_who_diverges_hands_out_the_last_good_epoch(digits_train: Dataset) -> None:
    data, plan = digits_train.head(256), TrainingPlan(epochs=5, batch_size=64)  # four steps an epoch
    start = hauberk.create("cnn", data, seed=1)
    with pytest.raises(TrainingDiverged, match="diverged in epoch 3") as caught:
        taught(Poisonous([], 10), start, data, plan)
    good: Any = caught.value.facts["last_good"]
    two = taught(Poisonous([], 99), start, data, TrainingPlan(epochs=2, batch_size=64))
    assert good.digest == two.digest
    assert good.evidence[-1].result["diverged"] == 3
    assert len(good.evidence[-1].result["history"]) == 2
    with pytest.raises(TrainingDiverged, match="epoch 1") as caught:
        taught(Poisonous([], 1), start, data, plan)
    assert caught.value.facts["last_good"] is None


@dataclass(frozen=True)
class Watching(Lesson):
    """Replays each batch and writes down what it is handed."""

    seen: list[Moment]

    @property
    def replays(self) -> int:
        return 3

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        self.seen.append(moment)
        return images.clone().requires_grad_(True)

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(crafted)
        return F.cross_entropy(logits, labels), logits


def test_replays_see_the_gradient_of_the_step_before(digits_train: Dataset) -> None:
    data = digits_train.head(128)
    lesson = Watching([])
    taught(lesson, hauberk.create("cnn", data), data, TrainingPlan(epochs=1, batch_size=64))
    assert len(lesson.seen) == 2 * 3
    assert lesson.seen[0].last_crafted is None
    for earlier, later in zip(lesson.seen, lesson.seen[1:], strict=False):
        assert later.last_crafted is not None
        assert later.last_crafted.grad is not None
        assert later.last_images is not None
        assert torch.equal(later.last_images, later.last_crafted)
        assert earlier.rows is not None
        assert torch.equal(later.last_images, data.images[earlier.rows])
        assert not torch.equal(earlier.streams.keys, later.streams.keys)


def test_settling_holds_after_every_step(digits_train: Dataset) -> None:
    class Small(Plain):
        def settle(self, model: Classifier) -> None:
            for one in model.parameters():
                one.data.clamp_(-0.01, 0.01)

    data = digits_train.head(128)
    taught_model = taught(Small(), hauberk.create("cnn", data), data, TrainingPlan(epochs=1))
    assert max(float(one.detach().abs().max()) for one in taught_model.parameters()) <= 0.01 + 1e-8


def test_shifts_move_whole_pixels_and_bring_in_nothing() -> None:
    images = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    (shift,) = augmentations(["shift:0.25"])
    draw = Draw(torch.Generator().manual_seed(2), (torch.tensor(0.0), torch.tensor(1.0)), 10)
    moved, _ = shift(images, torch.zeros(40, dtype=torch.int64), draw)
    padded = F.pad(images, (2, 2, 2, 2))
    for before, after in zip(padded, moved, strict=True):
        options = [before[:, y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
        assert any(torch.equal(one, after) for one in options)
    assert len({one.numpy().tobytes() for one in (moved - images)}) > 5  # each in its own way


def test_augmentation_is_repeatable_and_matters(digits_train: Dataset) -> None:
    data = digits_train.head(128)
    start = hauberk.create("cnn", data)
    moved = [train(start, data, TrainingPlan(epochs=1, augment=("shift",)), seed=3).digest for _ in range(2)]
    assert moved[0] == moved[1] != train(start, data, TrainingPlan(epochs=1), seed=3).digest


def test_refusals(digits_train: Dataset) -> None:
    start = hauberk.create("cnn", digits_train)
    with pytest.raises(UnknownName, match="unknown augmentation 'shif' in augment; did you mean 'shift'"):
        TrainingPlan(augment=("shif",))
    with pytest.raises(ConfigError, match=r"strength of shift lies in \[0, 0.5\], got 3"):
        TrainingPlan(augment=("shift:3",))
    with pytest.raises(ConfigError, match="augment must be a name or several, got 5"):
        TrainingPlan(augment=5)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="weight_perturbation cannot be negative"):
        TrainingPlan(weight_perturbation=-0.1)
    one_class = Dataset(
        "zeros", digits_train.images[:20], torch.zeros(20, dtype=torch.int64), digits_train.classes, (0.0, 1.0)
    )
    with pytest.raises(DataError, match="all 20 images of zeros have one label"):
        train(start, one_class)
    normed = Classifier(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10)), input_shape=(1, 8, 8), labels=10
    ).eval()
    with pytest.raises(ConfigError, match="batches of one image"):
        train(normed, digits_train.head(40), TrainingPlan(batch_size=1))
