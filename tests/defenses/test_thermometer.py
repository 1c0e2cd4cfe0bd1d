"""Thermometer encoding: the code by its definition, and what it is worth once slopes pass straight through."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import hauberk
from hauberk.attacks import PGD
from hauberk.core.errors import ConfigError, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.defenses import make
from hauberk.evaluation import evaluate
from hauberk.models import Classifier
from hauberk.models.architectures import Thermometer
from hauberk.threats import Linf


def test_a_value_lights_the_levels_that_it_reaches() -> None:
    x = torch.rand((3, 2, 4, 4), generator=torch.Generator().manual_seed(0))
    code = Thermometer(5)(x)
    assert code.shape == (3, 10, 4, 4)
    for channel in range(2):
        for level in range(5):
            expected = (x[:, channel] > (level + 0.5) / 5).float()
            assert torch.equal(code[:, 5 * channel + level], expected)
    rounded = code.view(3, 2, 5, 4, 4).sum(dim=2) / 5
    assert torch.allclose(rounded, (x * 5).round() / 5)  # what a decoder would make of it: rounding


@pytest.fixture(scope="module")
def encoded(plain: Classifier, digits_train: Dataset) -> Classifier:
    plan = {"epochs": 6, "batch_size": 64, "learning_rate": 5e-3, "schedule": "one-cycle"}
    return make("thermometer", plan=plan, levels=12).fit(plain, digits_train, Linf(0.2))


@pytest.mark.slow
def test_it_looks_robust_and_falls(encoded: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:60], digits.labels[:60]
    threat = Linf(0.2)
    blind = PGD(steps=20)(encoded, images, labels, threat)
    assert bool(blind.zero_gradient[~blind.misclassified].all())
    assert blind.robust_accuracy > 0.6
    found = evaluate(encoded, images, labels, threat)
    assert found.clean_accuracy > 0.9
    assert "HB101" in {flag.code for flag in found.flags}
    assert found.robust_accuracy < 0.2


def test_it_travels_in_its_package(encoded: Classifier, digits: Dataset, tmp_path: Path) -> None:
    hauberk.save(encoded, tmp_path / "encoded")
    loaded = hauberk.load(tmp_path / "encoded")
    assert torch.equal(loaded(digits.images[:9]), encoded(digits.images[:9]))
    assert loaded.evidence[-1].parameters["method"] == "thermometer"
    assert loaded.evidence[-1].parents == encoded.evidence[-1].parents != ()


def test_misuse(plain: Classifier, digits_train: Dataset) -> None:
    with pytest.raises(ConfigError, match=r"levels in \[1, 256\], got 0"):
        make("thermometer", levels=0)
    flat = Classifier(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), input_shape=(1, 8, 8), labels=10
    ).eval()  # fmt: skip
    for model in (flat, make("bit-depth").fit(plain, digits_train, Linf(0.1))):
        with pytest.raises(UnsupportedModel, match="built into the architecture cnn"):
            make("thermometer").fit(model, digits_train, Linf(0.1))
