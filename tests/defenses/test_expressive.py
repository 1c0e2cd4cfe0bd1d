"""Between attacks and bounds: the loss is what it says, and some of the bounds makes certificates possible."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

import hauberk
from hauberk.core.errors import ConfigError
from hauberk.datasets import Dataset
from hauberk.defenses import make
from hauberk.defenses.training.expressive import ExpressiveLesson, ExpressiveTraining
from hauberk.evaluation.certify import certify
from hauberk.models import Classifier
from hauberk.models.bounds import ball, boxes, chain
from hauberk.models.training import Moment, TrainingPlan
from hauberk.threats import L2, Linf, Streams, ThreatModel


@pytest.mark.parametrize("fraction", [0.1, 0.9])
def test_the_loss_is_a_convex_combination(fraction: float, plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:30], digits.labels[:30]
    lesson = ExpressiveLesson(ExpressiveTraining(bounds=0.3, warmup=0.2), ThreatModel.of(Linf(0.05)))
    moment = Moment(fraction, Streams.for_samples(0, torch.arange(30), "training", 0))
    crafted = lesson.craft(plain, images, labels, moment)
    loss, logits = lesson.loss(plain, images, labels, crafted, moment)

    grown = min(1.0, fraction / 0.2)
    layers = chain(plain)
    last = layers[-1]
    assert isinstance(last, torch.nn.Linear)
    box = boxes(layers[:-1], ball(plain, images, 0.05 * grown))[-1]
    worst = torch.zeros(30, 10)  # by the definition: for each class the corner that serves it best
    for sample in range(30):
        for rival in range(10):
            difference = last.weight[rival] - last.weight[labels[sample]]
            corner = torch.where(difference > 0, box.upper[sample], box.lower[sample])
            worst[sample, rival] = difference @ corner + last.bias[rival] - last.bias[labels[sample]]
    expected = (1 - 0.3 * grown) * F.cross_entropy(plain(crafted), labels) + 0.3 * grown * F.cross_entropy(
        worst, labels
    )
    assert torch.allclose(loss, expected, rtol=1e-4)
    assert torch.allclose(logits, plain(crafted))


def test_some_of_the_bounds_makes_certificates_possible(digits_train: Dataset, digits: Dataset) -> None:
    start = hauberk.create("mlp", digits_train, seed=0, args={"hidden": [32]}).eval()
    plan = TrainingPlan(epochs=6, batch_size=32, learning_rate=5e-3, schedule="one-cycle")
    held = {}
    for name, settings in (("pgd", {}), ("mtl-ibp", {"bounds": 0.5})):
        defense = replace(make(name, steps=3, held_out=100, **settings), plan=plan)
        model = defense.fit(start, digits_train, Linf(0.05))
        held[name] = certify(model, digits.head(150), Linf(0.05), method="ibp").certified_accuracy
    assert held["mtl-ibp"] > held["pgd"] + 0.1


def test_refusals(plain: Classifier, digits_train: Dataset) -> None:
    for weight in (0.0, 1.0, -0.1):
        with pytest.raises(ConfigError, match=r"bounds must lie in \(0, 1\)"):
            make("mtl-ibp", bounds=weight)
    with pytest.raises(ConfigError, match="interval bounds are for norm linf, got l2"):
        make("mtl-ibp").fit(plain, digits_train, L2(0.5))
