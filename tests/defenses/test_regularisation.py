"""Regularisers: each penalty and each norm against a computation that shares nothing with it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hauberk
from hauberk.attacks import PGD
from hauberk.core.errors import ConfigError, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.defenses import TrainingDefense, make
from hauberk.defenses.training.augmented import AugmentedTraining
from hauberk.defenses.training.regularised import (
    GradientPenalty,
    JacobianPenalty,
    LabelSmoothing,
    WeightDecay,
)
from hauberk.defenses.training.spectral import SpectralNorm, input_shapes, spectral_norm
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Moment, TrainingPlan
from hauberk.threats import Linf, Streams, ThreatModel

THREAT = ThreatModel.of(Linf(0.1))


@pytest.fixture
def tiny() -> Classifier:
    """A smooth network in double precision, small enough for whole Jacobians."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 4)).double()
    return Classifier(network, input_shape=(1, 3, 4), labels=4).eval()


def taken(lesson: Lesson, model: Classifier, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """The lesson's loss on five images, those images and their labels."""
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(5, 1, 3, 4, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 3, 1])
    moment = Moment(0.5, Streams.for_samples(seed, torch.arange(5), "training", 0))
    loss, logits = lesson.loss(model, images, labels, images, moment)
    assert torch.allclose(logits, model(images))
    return loss, images, labels


def jacobians(model: Classifier, images: Tensor) -> Tensor:
    """``(n, classes, pixels)``, one image at a time."""
    return torch.stack(
        [torch.autograd.functional.jacobian(lambda x: model(x[None])[0], image).flatten(1) for image in images]
    )


def test_label_smoothing_is_cross_entropy_to_the_smoothed_label(tiny: Classifier) -> None:
    loss, images, labels = taken(LabelSmoothing(smoothing=0.2).lesson(tiny, THREAT), tiny)
    target = 0.8 * F.one_hot(labels, 4).double() + 0.2 / 4
    by_hand = -(target * tiny(images).log_softmax(1)).sum(1).mean()
    assert loss.item() == pytest.approx(by_hand.item(), abs=1e-12)


def test_gradient_penalty_is_the_squared_slope_of_the_loss(tiny: Classifier) -> None:
    loss, images, labels = taken(GradientPenalty(weight=3.0).lesson(tiny, THREAT), tiny)
    # d cross-entropy / d x = (softmax - one-hot) J
    residue = tiny(images).softmax(1) - F.one_hot(labels, 4)
    slopes = torch.einsum("nc,ncp->np", residue, jacobians(tiny, images))
    by_hand = F.cross_entropy(tiny(images), labels) + 3.0 * slopes.square().sum(1).mean()
    assert loss.item() == pytest.approx(by_hand.item(), abs=1e-10)


def test_gradient_penalty_pulls_the_weights(tiny: Classifier) -> None:
    """The penalty's own derivative by a weight, against a difference quotient."""
    lesson = GradientPenalty(weight=3.0).lesson(tiny, THREAT)
    weight = next(tiny.parameters())
    taken(lesson, tiny)[0].backward()
    assert weight.grad is not None
    slope, step = weight.grad[2, 5].item(), 1e-5
    values = []
    for way in (1, -1):
        moved = copy.deepcopy(tiny)
        with torch.no_grad():
            next(moved.parameters())[2, 5] += way * step
        values.append(taken(lesson, moved)[0].item())
    assert slope == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)


def test_jacobian_penalty_is_right_on_average(tiny: Classifier) -> None:
    exact = jacobians(tiny, taken(JacobianPenalty().lesson(tiny, THREAT), tiny)[1]).square().sum((1, 2)).mean()
    lesson = JacobianPenalty(weight=2.0, projections=400).lesson(tiny, THREAT)
    loss, images, labels = taken(lesson, tiny)
    estimate = loss - F.cross_entropy(tiny(images), labels)
    assert estimate.item() == pytest.approx(exact.item(), rel=0.05)


def test_jacobian_directions_differ_by_epoch_and_not_by_call(tiny: Classifier) -> None:
    lesson = JacobianPenalty().lesson(tiny, THREAT)
    assert taken(lesson, tiny, 1)[0].item() == taken(lesson, tiny, 1)[0].item()
    assert taken(lesson, tiny, 1)[0].item() != taken(lesson, tiny, 2)[0].item()


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(7, 5), (7,)),
    "padded": (lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 6, 5)),
    "strided": (lambda: nn.Conv2d(2, 4, 3, stride=2, groups=2), (2, 7, 7)),
    "one-dimensional": (lambda: nn.Conv1d(2, 3, 3, dilation=2), (2, 9)),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 3, stride=2), (2, 4, 4)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_spectral_norm_is_the_largest_singular_value_of_the_operator(kind: str) -> None:
    make_layer, shape = LAYERS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(4)
        layer = make_layer()
    matrix = torch.autograd.functional.jacobian(
        lambda x: layer(x.view(1, *shape)).flatten(), torch.zeros(shape).flatten()
    )
    truth = float(torch.linalg.svdvals(matrix)[0])
    assert spectral_norm(layer, shape, 500, seed=1) == pytest.approx(truth, rel=1e-3)
    for few in (1, 3, 10):
        assert 0.3 * truth < spectral_norm(layer, shape, few, seed=1) <= truth * (1 + 1e-5)


def test_layers_keep_to_the_limit(plain: Classifier, digits_train: Dataset, digits: Dataset) -> None:
    shapes = input_shapes(plain)
    before = [spectral_norm(plain.get_submodule(name), shape, 100, 0) for name, shape in shapes.items()]
    assert len(before) == 4
    limit = 1.5
    assert max(before) > 2 * limit
    defense = SpectralNorm(limit=limit, plan=TrainingPlan(epochs=2, averaging=0.9))
    held = defense.fit(plain, digits_train.head(512), Linf(0.1))
    for name, shape in shapes.items():
        layer = held.get_submodule(name)
        matrix = torch.autograd.functional.jacobian(
            lambda x, layer=layer, shape=shape: layer(x.view(1, *shape)).flatten(), torch.zeros(shape).flatten()
        )
        assert float(torch.linalg.svdvals(matrix)[0]) < limit * 1.1
    # the product of the norms bounds every difference quotient
    one, two = digits.images[:100], digits.images[100:200]
    with torch.no_grad():
        stretch = (held(one) - held(two)).norm(dim=1) / (one - two).flatten(1).norm(dim=1)
    assert 0 < float(stretch.max()) <= (limit * 1.1) ** 4


def test_batch_norm_does_not_undo_the_limit() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
    model = Classifier(network, input_shape=(1, 4, 4), labels=2).eval()
    norm = network[1]
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([9.0, -9.0, 0.1]))
        norm.running_var.copy_(torch.tensor([4.0, 1.0, 1.0]))
    SpectralNorm(limit=1.0).lesson(model, THREAT).settle(model)
    assert torch.allclose(norm.weight, torch.tensor([2.0, -1.0, 0.1]), atol=1e-4)


@pytest.fixture(scope="module")
def ordinary(digits_train: Dataset) -> Classifier:
    """Trained as the penalties are by default, without a penalty."""
    plan = replace(JacobianPenalty().plan, epochs=8)
    start = hauberk.create("cnn", digits_train)
    return hauberk.train(start, digits_train, plan, seed=0)


def test_the_jacobian_penalty_makes_small_radii_harder(
    ordinary: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    defense = JacobianPenalty(plan=replace(JacobianPenalty().plan, epochs=8))
    held = defense.fit(ordinary, digits_train, Linf(0.1))
    shares = [
        PGD(steps=10)(model, digits.images, digits.labels, Linf(0.1)).robust_accuracy
        for model in (ordinary, held)
    ]
    assert shares[1] > shares[0] + 0.05


@pytest.mark.parametrize(
    ("name", "plan", "settings"),
    [
        ("augment", {}, {}),
        ("augment", {"augment": ("cutmix", "augmix")}, {}),
        ("weight-decay", {}, {}),
        ("label-smoothing", {}, {"smoothing": 0.3}),
        ("gradient-penalty", {"augment": ("mixup",)}, {"fresh": False}),
        ("jacobian-penalty", {"augment": ("mixup",)}, {"projections": 2}),
        ("spectral-norm", {}, {"limit": 3.0}),
    ],
)
def test_each_trains_by_its_name_the_same_twice(
    name: str, plan: dict[str, object], settings: dict[str, object], plain: Classifier, digits_train: Dataset
) -> None:
    defense = make(name, plan={"epochs": 1, **plan}, **settings)
    assert isinstance(defense, TrainingDefense)
    data = digits_train.head(256)
    once, again = (defense.fit(plain, data, Linf(0.1), seed=3) for _ in range(2))
    assert once.digest == again.digest != plain.digest
    step = once.evidence[-1].parameters
    assert step["method"] == name
    assert step["plan"]["augment"] == list(defense.plan.augment)
    assert {key: step[key] for key in settings} == settings


def test_misuse(plain: Classifier) -> None:
    with pytest.raises(ConfigError, match="AugmentedTraining: augment is empty"):
        AugmentedTraining(plan=TrainingPlan())
    with pytest.raises(ConfigError, match=r"WeightDecay: weight_decay must be above 0, got 0.0"):
        WeightDecay(plan=TrainingPlan())
    for smoothing in (0.0, 1.0, "much"):
        with pytest.raises(ConfigError, match="LabelSmoothing: smoothing must"):
            LabelSmoothing(smoothing=smoothing)  # type: ignore[arg-type]
    kinds: list[tuple[type[TrainingDefense], str]] = [
        (GradientPenalty, "weight"),
        (JacobianPenalty, "weight"),
        (JacobianPenalty, "projections"),
        (SpectralNorm, "limit"),
        (SpectralNorm, "iterations"),
    ]
    for kind, setting in kinds:
        for value in (0, -1, "x", True):
            with pytest.raises(ConfigError, match=f"{kind.__name__}: {setting} must"):
                kind(**{setting: value})  # type: ignore[arg-type]
    bare = Classifier(nn.Sequential(nn.Flatten(), nn.Softplus()), input_shape=(1, 1, 3), labels=3).eval()
    with pytest.raises(UnsupportedModel, match="no linear or convolutional layers"):
        SpectralNorm().lesson(bare, THREAT)
