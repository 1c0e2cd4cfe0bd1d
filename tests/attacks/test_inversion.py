"""Model inversion: what the climb must satisfy on models that can be computed by hand, and the judge's word."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

import hauberk
from hauberk.attacks.inference import (
    INVERSIONS,
    GaussianInversion,
    GradientInversion,
    Inversion,
    half_and_half,
    make_inversion,
)
from hauberk.core.errors import ConfigError, DataError, UnknownName, UnsupportedModel
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.evaluation.inversion import InversionReport, correlation, inversion_report, weak_judge
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan, train

TEN = torch.arange(10)


def linear(weight: Tensor, **contract: object) -> Classifier:
    layer = nn.Linear(weight[0].numel(), len(weight), bias=False)
    layer.weight.data = weight.flatten(1).clone()
    shape = tuple(weight.shape[1:])
    return Classifier(
        nn.Sequential(nn.Flatten(), layer), input_shape=shape, labels=len(weight), **contract
    ).eval()  # type: ignore[arg-type]


def test_without_priors_a_linear_model_gives_its_weights_sign() -> None:
    """Of two classes, the score grows along the difference of their weights, up to the bounds."""
    weight = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0)) / 5  # so that it is never sure
    attack = GradientInversion(total_variation=0.0, l2=0.0, steps=200)
    images = attack(linear(weight), torch.tensor([0, 1])).images
    difference = weight[0] - weight[1]
    assert torch.equal(images[0], (difference > 0).float())
    assert torch.equal(images[1], (difference < 0).float())


def test_the_climb_ends_where_class_and_prior_balance() -> None:
    """Strong L2 keeps the picture inside the bounds, where the gradient of the whole must vanish."""
    weight = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(1)) / 4
    attack = GradientInversion(total_variation=0.0, l2=20.0, steps=2000, step_size=0.002)
    result = attack(linear(weight), torch.tensor([2]))
    x = result.images.requires_grad_(True)
    assert 0 < x.min().item() < x.max().item() < 1
    (gradient,) = torch.autograd.grad(F.cross_entropy(linear(weight)(x), torch.tensor([2])), x)
    by_hand = result.start - gradient / (2 * 20.0 / 16)
    assert torch.allclose(x, by_hand, atol=2e-3)


def test_the_gaussian_prior_is_the_most_likely_picture() -> None:
    """With a weak class and weight 1 the end is the mean minus covariance times gradient."""
    source = torch.Generator().manual_seed(2)
    mixing = torch.randn(16, 16, generator=source) / 40
    population = (0.5 + torch.randn(4000, 16, generator=source) @ mixing).clamp(0, 1).view(-1, 1, 4, 4)
    weight = torch.randn(2, 1, 4, 4, generator=source)
    attack = GaussianInversion(weight=1.0, shrinkage=0.001, steps=3000, step_size=0.001)
    x = attack(linear(weight), torch.tensor([1]), population=population).images.requires_grad_(True)
    (gradient,) = torch.autograd.grad(F.cross_entropy(linear(weight)(x), torch.tensor([1])), x)
    covariance = np.cov(population.flatten(1).double().numpy().T)
    mean = population.mean(dim=0).flatten().numpy()
    by_hand = mean - covariance @ gradient.flatten().numpy()
    moved = np.abs(x.detach().flatten().numpy() - mean).max()
    assert moved > 0.02
    assert np.abs(x.detach().flatten().numpy() - by_hand).max() < 0.1 * moved


@pytest.mark.parametrize("name", INVERSIONS)
def test_pictures_are_within_bounds_alone_and_again(name: str, plain: Classifier, digits: Dataset) -> None:
    attack = make_inversion(name, steps=30)
    before = plain.digest
    result = attack(plain, TEN, population=digits.images)
    again = attack(plain, TEN, population=digits.images)
    alone = attack(plain, torch.tensor([7]), population=digits.images)
    assert plain.digest == before
    assert result.images.shape == (10, 1, 8, 8)
    assert float(result.images.min()) >= 0
    assert float(result.images.max()) <= 1
    assert torch.equal(result.images, again.images)
    assert torch.allclose(result.images[7], alone.images[0], atol=1e-3)
    with torch.no_grad():
        mine = plain(result.images).softmax(dim=1)[TEN, TEN]
        before_climb = plain(result.start).softmax(dim=1)[TEN, TEN]
    assert torch.allclose(result.probability, mine, atol=1e-5)
    assert (mine > before_climb).all()
    assert result.gradients == 30
    assert result.recipe == repr(attack)
    assert "steps=30" in repr(attack)


def test_bounds_of_each_channel_are_kept() -> None:
    weight = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(3))
    model = linear(weight, bounds=((-1.0, 10.0), (1.0, 14.0)))
    images = GradientInversion(steps=100)(model, torch.tensor([0, 2])).images
    start = GradientInversion(steps=1, step_size=1e-9)(model, torch.tensor([0])).images[0]
    for channel, (low, high) in enumerate(((-1.0, 1.0), (10.0, 14.0))):
        assert float(images[:, channel].min()) >= low
        assert float(images[:, channel].max()) <= high
        assert torch.allclose(start[channel], torch.full((4, 4), (low + high) / 2), atol=0.01 * (high - low))


class Stepped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.one_hot((x.flatten(1).sum(dim=1) > 8).long(), 2) * 5.0


class Noisy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :2] + torch.randn(len(x), 2)


def odd(module: nn.Module) -> Classifier:
    return Classifier(module, input_shape=(1, 4, 4), labels=2).eval()


ZERO = torch.zeros(1, dtype=torch.int64)
REFUSED: list[tuple[type[Exception], str, Callable[[Classifier, Dataset], object]]] = [
    (ConfigError, "steps must be", lambda model, data: GradientInversion(steps=0)),
    (ConfigError, "step_size must be", lambda model, data: GradientInversion(step_size=0.0)),
    (ConfigError, "l2 cannot be negative", lambda model, data: GradientInversion(l2=-1.0)),
    (ConfigError, "total_variation must be a number",
     lambda model, data: GradientInversion(total_variation=float("nan"))),
    (ConfigError, "weight must be above 0", lambda model, data: GaussianInversion(weight=0.0)),
    (ConfigError, "shrinkage must be at most 1", lambda model, data: GaussianInversion(shrinkage=1.5)),
    (UnknownName, "did you mean 'grey'", lambda model, data: GradientInversion(start="gray")),  # type: ignore[arg-type]
    (UnknownName, "did you mean 'gaussian'", lambda model, data: make_inversion("gausian")),
    (UnknownName, "did you mean 'steps'", lambda model, data: make_inversion("gradient", step=3)),
    (ConfigError, "pass population=", lambda model, data: GaussianInversion()(model, TEN)),
    (ConfigError, "pass population=", lambda model, data: GradientInversion(start="mean")(model, TEN)),
    (ConfigError, "at least 2 images",
     lambda model, data: GaussianInversion()(model, TEN, population=data.images[:1])),
    (DataError, "targets must lie in", lambda model, data: GradientInversion()(model, TEN + 1)),
    (DataError, "targets must be integers", lambda model, data: GradientInversion()(model, TEN.float())),
    (DataError, "leaves the valid bounds",
     lambda model, data: GradientInversion()(model, TEN, population=data.images * 2)),
    (ConfigError, "train mode",
     lambda model, data: GradientInversion()(hauberk.create("mlp", data).train(), TEN)),
    (UnsupportedModel, "no gradient", lambda model, data: GradientInversion()(odd(Stepped()), ZERO)),
    (UnsupportedModel, "from call to call", lambda model, data: GradientInversion()(odd(Noisy()), ZERO)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "message", "call"), REFUSED, ids=lambda one: one[:30] if isinstance(one, str) else ""
)
def test_refused(
    kind: type[Exception],
    message: str,
    call: Callable[[Classifier, Dataset], object],
    plain: Classifier,
    digits: Dataset,
) -> None:
    with pytest.raises(kind, match=message):
        call(plain, digits)


# --- the judge


def test_correlation_is_pearsons_and_blind_to_contrast() -> None:
    source = torch.Generator().manual_seed(4)
    a, b = torch.rand(3, 1, 4, 4, generator=source), torch.rand(2, 1, 4, 4, generator=source)
    expected = np.corrcoef(a.flatten(1).numpy(), b.flatten(1).numpy())[:3, 3:]
    assert np.allclose(correlation(a, b), expected, atol=1e-6)
    assert torch.allclose(correlation(a * 0.3 + 0.2, b), correlation(a, b), atol=1e-6)
    assert (correlation(torch.full((1, 1, 4, 4), 0.5), b) == 0).all()


@pytest.fixture(scope="module")
def halves(digits: Dataset) -> tuple[Dataset, Dataset]:
    return half_and_half(digits, seed=0)


@pytest.fixture(scope="module")
def judge(halves: tuple[Dataset, Dataset]) -> Classifier:
    plan = TrainingPlan(epochs=60, batch_size=32)
    return train(hauberk.create("mlp", halves[0], seed=8).eval(), halves[0], plan, name="judge")


@pytest.fixture(scope="module")
def report(
    plain: Classifier, judge: Classifier, digits_train: Dataset, halves: tuple[Dataset, Dataset]
) -> InversionReport:
    fresh, own = halves
    attacks = (GradientInversion(), GaussianInversion())
    return inversion_report(plain, digits_train, fresh, judge, attacks, population=own.images, name="plain")


def test_the_prior_makes_pictures_that_another_model_recognises(report: InversionReport) -> None:
    gradient, gaussian = report.evidence.result["attacks"]
    chance = report.evidence.result["random"]
    assert gaussian["recognised"] >= 0.9
    assert gaussian["matched"] >= 0.9
    assert gaussian["mean_correlation"] > gaussian["start_correlation"] + 0.05
    assert gaussian["mean_correlation"] > gaussian["other_correlation"] + 0.05
    assert gradient["matched"] > 0.5
    assert gradient["mean_correlation"] > chance["mean_correlation"] + 0.1
    assert chance["recognised_interval"][1] < 0.3
    assert abs(chance["mean_correlation"]) < 0.1


def test_inversion_evidence(
    report: InversionReport, plain: Classifier, judge: Classifier, tmp_path: Path
) -> None:
    document = report.evidence
    assert Evidence.from_json(json.loads(json.dumps(document.to_json()))).digest == document.digest
    assert document.kind == "inversion"
    assert document.subject["digest"] == plain.digest
    assert document.inputs["judge"]["digest"] == judge.digest
    for row, result in zip(document.result["attacks"], report.results, strict=True):
        assert row["recipe"] == result.recipe
        with torch.no_grad():
            assert [one["prediction"] for one in row["pictures"]] == judge(result.images).argmax(dim=1).tolist()
    gallery = document.result["gallery"]
    assert [one["label"] for one in gallery] == [*range(10), *range(10)]
    assert gallery[0]["picture"]["shape"] == [1, 8, 8]
    report.save_picture(tmp_path / "grid.png")
    grid = np.asarray(Image.open(tmp_path / "grid.png").convert("L"))
    assert grid.shape[0] > 300
    assert grid.std() > 20


class Remembers(Inversion):
    """Hands out a training image of each class: what a perfect attack would bring to light."""

    name = "remembers"

    def penalty(self, start: Tensor, population: Tensor | None) -> Callable[[Tensor], Tensor]:
        assert population is not None
        return lambda x: 1e4 * (x - population[: len(x)]).square().flatten(1).sum(dim=1)


def test_a_training_image_is_told_from_a_fresh_one(
    plain: Classifier, judge: Classifier, digits_train: Dataset, halves: tuple[Dataset, Dataset]
) -> None:
    firsts = torch.stack([digits_train.images[digits_train.labels == one][0] for one in range(10)])
    known = inversion_report(
        plain, digits_train, halves[0], judge, [Remembers(steps=400)], population=firsts
    ).evidence.result["attacks"][0]  # fmt: skip
    assert known["nearest_member"] > 0.99
    assert known["nearest_member"] > known["nearest_fresh"] + 0.03
    assert known["recognised"] >= 0.8


def test_judges_that_cannot_judge(
    plain: Classifier, judge: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    def asked(**changes: object) -> object:
        given = {"judge": judge, "attacks": [GradientInversion(steps=1)], "classes": None} | changes
        return inversion_report(plain, digits_train, digits, **given)  # type: ignore[arg-type]

    for message, changes in (
        ("attacked model itself", {"judge": plain}),
        ("other inputs or classes", {"judge": linear(torch.zeros(2, 1, 8, 8))}),
        ("each once", {"attacks": []}),
        ("classes must be some of", {"classes": [11]}),
        ("classes must be some of", {"classes": [1, 1]}),
        ("classes must be some of", {"classes": []}),
    ):
        with pytest.raises(ConfigError, match=message):
            asked(**changes)
    assert weak_judge(0.79)[0].code == "HB305"
    assert weak_judge(0.8) == []
    asked(classes=[3])  # one class is enough
