from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import hauberk
from hauberk.core.errors import ConfigError, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.defenses.training.crown_ibp import CrownIntervalTraining
from hauberk.defenses.training.interval import IntervalTraining, certified_share, drawn_tight, widening
from hauberk.evaluation.certify import box as certify_box
from hauberk.evaluation.certify.network import read
from hauberk.evaluation.certify.propagation import Proof
from hauberk.models import Classifier
from hauberk.models.architectures import Contrast
from hauberk.models.bounds import Box, ball, boxes, chain, walked_logits, worst_logits
from hauberk.models.parts import BitDepth
from hauberk.models.training import Moment, TrainingPlan
from hauberk.threats import L2, Linf, Streams, ThreatModel


def everything(seed: int = 0) -> Classifier:
    """A small network with a layer of each kind that bounds go through."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        Contrast(2.0),
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5)),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 1, groups=2, bias=False),
        nn.AvgPool2d(2, stride=1),
        nn.Flatten(),
        nn.Linear(4, 6),
        nn.BatchNorm1d(6),
        nn.ReLU(),
        nn.Linear(6, 3),
    )
    for one in network.modules():
        if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d):
            one.running_mean = torch.randn(one.num_features)
            one.running_var = torch.rand(one.num_features) + 0.5
            nn.init.normal_(one.weight)  # negative scales turn intervals round
            nn.init.normal_(one.bias)
    bounds = ((0.0, 0.2), (1.0, 0.9))
    return Classifier(
        network, input_shape=(2, 8, 8), labels=3, bounds=bounds, normalization=([0.4, 0.5], [0.5, 2.0])
    ).eval()


def inside(box: Box, count: int, seed: int = 0) -> torch.Tensor:
    """Random points of a box, half of them corners: ``(count, n, ...)``."""
    share = torch.rand((count, *box.lower.shape), generator=torch.Generator().manual_seed(seed))
    share[: count // 2] = share[: count // 2].round()
    return box.lower + share * (box.upper - box.lower)


@pytest.mark.parametrize("eps", [0.01, 0.1, 0.5])
def test_no_point_of_the_ball_leaves_the_bounds(eps: float) -> None:
    model = everything()
    images = torch.rand((5, 2, 8, 8)) * 0.7 + 0.2
    labels = torch.tensor([0, 1, 2, 0, 1])
    box = ball(model, images, eps)
    lowest, highest = model.bounds.tensors(images)
    assert bool((box.lower >= lowest).all())
    assert bool((box.upper <= highest).all())
    layers = chain(model)
    seen = boxes(layers, box)
    worst = worst_logits(layers, seen, labels)
    for points in inside(box, 400):
        logits = model(points)
        assert bool((logits >= seen[-1].lower - 1e-5).all())
        assert bool((logits <= seen[-1].upper + 1e-5).all())
        margins = logits - logits.gather(1, labels[:, None])
        assert bool((margins <= worst + 1e-5).all())


def convolutional(seed: int = 0) -> Classifier:
    """As ``everything``, of what linear bounds can be walked back through; bends no ball can miss."""
    model = everything(seed)
    del model.module[4]  # the average pool
    model.module[5] = nn.Linear(16, 6)
    return model


@pytest.mark.parametrize("eps", [0.01, 0.1, 0.5])
def test_no_point_of_the_ball_leaves_the_walked_bounds(eps: float) -> None:
    model, images = convolutional(), torch.rand((5, 2, 8, 8)) * 0.7 + 0.2
    labels = torch.tensor([0, 1, 2, 0, 1])
    layers = chain(model)
    box = ball(model, images, eps)
    worst = walked_logits(layers, boxes(layers, box), labels)
    for points in inside(box, 400):
        logits = model(points)
        assert bool((logits - logits.gather(1, labels[:, None]) <= worst + 1e-5).all())


def test_walked_bounds_are_those_of_the_verifier(digits: Dataset) -> None:
    """Two implementations, in float64, where the verifier has hardly any rounding to allow for."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1, stride=2), nn.ReLU(), nn.Flatten())
    network.extend([nn.Linear(48, 12), nn.ReLU(), nn.Linear(12, 10)])
    model = Classifier(network, input_shape=(1, 8, 8), labels=10).double().eval()
    images, labels = digits.images[:6].double(), digits.labels[:6]
    layers = chain(model)
    within = ball(model, images, 0.05)
    worst = walked_logits(layers, boxes(layers, within), labels)
    shown = Proof(read(model), certify_box.Box(*within)).margins(labels, back=True)
    others = shown.isfinite()
    torch.testing.assert_close(-worst[others], shown[others], atol=1e-9, rtol=0)


def test_bounds_of_no_ball_are_the_answer_itself() -> None:
    model, images, labels = everything(), torch.rand((4, 2, 8, 8)) * 0.7 + 0.2, torch.tensor([0, 1, 2, 0])
    layers = chain(model)
    seen = boxes(layers, ball(model, images, 0.0))
    torch.testing.assert_close(seen[-1].lower, model(images))
    torch.testing.assert_close(seen[-1].upper, model(images))
    logits = model(images)
    torch.testing.assert_close(worst_logits(layers, seen, labels), logits - logits.gather(1, labels[:, None]))


def test_bounds_of_a_linear_model_have_a_closed_form() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(6, 4)
    model = Classifier(nn.Sequential(nn.Flatten(), linear), input_shape=(6,), labels=4, bounds=(-9, 9)).eval()
    images, labels = torch.randn(3, 6), torch.tensor([3, 0, 2])
    layers = chain(model)
    worst = worst_logits(layers, boxes(layers[:-1], ball(model, images, 0.2)), labels)
    weight = linear.weight[None] - linear.weight[labels][:, None]
    margins = model(images) - model(images).gather(1, labels[:, None])
    torch.testing.assert_close(worst, margins + 0.2 * weight.abs().sum(2))  # Hoelder: |w|_1 eps


def test_the_merged_last_layer_is_never_looser_than_logits_apart() -> None:
    model, images, labels = everything(), torch.rand((4, 2, 8, 8)) * 0.7 + 0.2, torch.tensor([0, 1, 2, 0])
    layers = chain(model)
    seen = boxes(layers, ball(model, images, 0.1))
    apart = seen[-1].upper - seen[-1].lower.gather(1, labels[:, None])
    apart = apart.scatter(1, labels[:, None], 0.0)
    worst = worst_logits(layers, seen, labels)
    assert bool((worst <= apart + 1e-6).all())
    assert bool((worst < apart - 1e-3).any())


def test_new_weights_keep_the_width_of_intervals() -> None:
    layers: list[nn.Module] = [nn.Flatten()]
    for _ in range(6):
        layers += [nn.Linear(300, 300), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Linear(300, 10))
    model = Classifier(network, input_shape=(300,), labels=10, bounds=(-9, 9)).eval()

    def growth(one: Classifier) -> float:
        seen = boxes(chain(one), ball(one, torch.zeros(1, 300), 0.1))
        return (seen[-2].radius.mean() / seen[0].radius.mean()).item()

    drawn = drawn_tight(model, 3)
    assert 0.5 < growth(drawn) < 2 < 20 < growth(model)
    assert drawn.digest == drawn_tight(model, 3).digest != drawn_tight(model, 4).digest


def test_the_loss_is_the_papers(plain: Classifier, digits: Dataset) -> None:
    defense = IntervalTraining(start=0.0, warmup=0.5, kappa=0.2, margin=1.5)
    lesson = defense.lesson(plain, ThreatModel.of(Linf(0.1)))
    images, labels = digits.images[:16], digits.labels[:16]
    moment = Moment(0.25, Streams.for_samples(0, torch.arange(16), "training", 0))  # half-way up
    loss, logits = lesson.loss(plain, images, labels, images, moment)
    layers = chain(plain)
    lower, upper = (images - 0.075).clamp(0, 1), (images + 0.075).clamp(0, 1)
    ends = boxes(layers[:-1], Box(lower, upper))
    worst = F.cross_entropy(worst_logits(layers, ends, labels), labels)
    assert loss.item() == pytest.approx((0.6 * F.cross_entropy(logits, labels) + 0.4 * worst).item(), rel=1e-5)
    assert lesson.eps(0.25) == pytest.approx(0.075)
    assert lesson.eps(1.0) == pytest.approx(0.15)


def test_the_regulariser_minds_widening_only() -> None:
    layers: list[nn.Module] = [nn.ReLU()]

    def of(factor: float) -> float:
        box = Box(torch.zeros(1, 4), torch.ones(1, 4))
        wide = [nn.Identity(), *layers]
        return float(widening(wide, [box, Box(box.lower, factor * box.upper), box]))

    assert of(0.5) == of(2.0) == 0.0
    assert 0 < of(4.0) < of(400.0) < 1


def test_training_earns_certificates_that_plain_training_does_not(
    plain: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    plan = TrainingPlan(epochs=12, batch_size=32, learning_rate=5e-3, schedule="one-cycle")
    model = IntervalTraining(plan=plan, held_out=100).fit(plain, digits_train, Linf(0.1), seed=0)
    assert certified_share(plain, digits, 0.1) < 0.05
    assert certified_share(model, digits, 0.1) > 0.5
    record = model.evidence[-1]
    assert record.parameters["method"] == "ibp"
    assert record.parameters["init"] == "ibp"
    history = record.result["history"]
    best = max(row["held_out_certified"] for row in history)
    assert history[record.result["best_epoch"] - 1]["held_out_certified"] == best


def test_crown_ibp_turns_from_linear_bounds_to_intervals(plain: Classifier, digits: Dataset) -> None:
    defense = CrownIntervalTraining(start=0.2, warmup=0.4, kappa=0.0, final_beta=0.25)
    lesson = defense.lesson(plain, ThreatModel.of(Linf(0.1)))
    assert [lesson.beta(one) for one in (0.0, 0.2, 0.4, 0.6, 1.0)] == pytest.approx([1, 1, 0.625, 0.25, 0.25])
    images, labels = digits.images[:16], digits.labels[:16]
    layers = chain(plain)
    for fraction in (0.4, 0.8):
        seen = boxes(layers, ball(plain, images, lesson.eps(fraction)))
        beta = lesson.beta(fraction)
        mixed = beta * walked_logits(layers, seen, labels) + (1 - beta) * worst_logits(layers, seen, labels)
        kappa = 1 - defense.grown(fraction)
        clean = F.cross_entropy(plain(images), labels)
        moment = Moment(fraction, Streams.for_samples(0, torch.arange(16), "training", 0))
        loss, _ = lesson.loss(plain, images, labels, images, moment)
        wanted = kappa * clean + (1 - kappa) * F.cross_entropy(mixed, labels)
        assert loss.item() == pytest.approx(wanted.item(), rel=1e-4)


def test_crown_ibp_earns_certificates(digits_train: Dataset, digits: Dataset) -> None:
    blank = hauberk.create("mlp", digits_train, args={"hidden": [64, 32]}).eval()
    plan = TrainingPlan(epochs=10, batch_size=32, learning_rate=5e-3, schedule="one-cycle")
    model = CrownIntervalTraining(plan=plan, held_out=100).fit(blank, digits_train, Linf(0.1), seed=0)
    assert model.evidence[-1].parameters["method"] == "crown-ibp"
    assert certified_share(model, digits, 0.1) > 0.4


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"start": -0.1}, "shares of the training"),
        ({"start": 0.5, "warmup": 0.5}, "together below 1"),
        ({"kappa": 1.0}, r"kappa must lie in \[0, 1\), got 1.0"),
        ({"margin": 0}, "margin must be above 0, got 0"),
        ({"regularise": -1.0}, "regularise cannot be negative"),
        ({"margin": math.nan}, "margin must be a number"),
        ({"init": "orthogonal"}, "unknown init 'orthogonal'"),
        ({"fresh": True}, "init ibp draws new weights already"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        IntervalTraining(**settings)


def test_bad_shares_of_linear_bounds_are_refused() -> None:
    for wrong in (-0.1, 1.5, True, math.inf):
        with pytest.raises(ConfigError, match="final_beta"):
            CrownIntervalTraining(final_beta=wrong)


def test_average_pools_are_for_intervals_only(digits_train: Dataset) -> None:
    network = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 10))
    model = Classifier(network, input_shape=(1, 8, 8), labels=10).eval()
    with pytest.raises(UnsupportedModel, match=r"walked back through AvgPool2d"):
        CrownIntervalTraining().fit(model, digits_train, Linf(0.1))


def test_what_cannot_be_bounded_is_refused_by_name(plain: Classifier, digits_train: Dataset) -> None:
    with pytest.raises(ConfigError, match="for norm linf, got l2"):
        IntervalTraining().fit(plain, digits_train, L2(0.5))
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10))
    with pytest.raises(UnsupportedModel, match=r"layer 2, Tanh\(\)"):
        chain(Classifier(network, input_shape=(1, 8, 8), labels=10))
    with pytest.raises(UnsupportedModel, match="ends in ReLU"):
        chain(Classifier(network[:2].append(nn.ReLU()), input_shape=(1, 8, 8), labels=8))
    behind = copy.deepcopy(plain)
    behind.defences.append(BitDepth())
    with pytest.raises(UnsupportedModel, match="bit-depth"):
        chain(behind)
