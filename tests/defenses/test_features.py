"""Feature engineering around a network: what each part computes, by another way, and that it travels."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

import hauberk
from hauberk.core.errors import ConfigError, UnknownName
from hauberk.datasets import Dataset
from hauberk.defenses import make
from hauberk.defenses.inference.features import (
    AutoencoderFront,
    FeatureFusion,
    FeatureSelection,
    PCAProjection,
    informative,
)
from hauberk.models import Classifier
from hauberk.models.parts import Autoencoder, Confidence, FusedFeatures, Projection, Selection
from hauberk.models.parts.fusing import edge_histograms
from hauberk.models.training import TrainingPlan, accuracy
from hauberk.threats import Linf

QUICK: dict[str, dict[str, object]] = {
    "pca": {},
    "autoencoder": {"epochs": 2},
    "feature-selection": {"keep": 0.5},
    "feature-fusion": {"epochs": 2},
}


@pytest.fixture(scope="module")
def wrapped(plain: Classifier, digits_train: Dataset) -> Callable[[str], Classifier]:
    done: dict[str, Classifier] = {}

    def one(name: str) -> Classifier:
        if name not in done:
            done[name] = make(name, **QUICK[name]).fit(plain, digits_train, Linf(0.1), seed=5, name=name)
        return done[name]

    return one


@pytest.mark.parametrize("name", QUICK)
def test_it_travels_and_is_the_same_from_the_same_seed(
    name: str,
    wrapped: Callable[[str], Classifier],
    plain: Classifier,
    digits_train: Dataset,
    digits: Dataset,
    tmp_path: Path,
) -> None:
    defended = wrapped(name)
    assert make(name, **QUICK[name]).fit(plain, digits_train, Linf(0.1), seed=5).digest == defended.digest
    hauberk.save(defended, tmp_path / name)
    loaded = hauberk.load(tmp_path / name)
    assert loaded.digest == defended.digest != plain.digest
    assert torch.equal(loaded(digits.images), defended(digits.images))
    assert not torch.equal(defended(digits.images), plain(digits.images))
    step = loaded.evidence[-1]
    assert (step.parameters["method"], step.parameters["gradient"]) == (name, "exact")


@pytest.mark.parametrize("name", QUICK)
def test_gradients_are_those_of_difference_quotients(
    name: str, wrapped: Callable[[str], Classifier], digits: Dataset
) -> None:
    model = wrapped(name).double()
    try:
        source = torch.Generator().manual_seed(0)
        grain = torch.rand(3, 1, 8, 8, generator=source)  # flat images stand at the kinks of their edges
        x = (0.8 * digits.images[:3] + 0.2 * grain).double().requires_grad_(True)
        way = torch.randn(x.shape, generator=source, dtype=torch.float64)
        (slope,) = torch.autograd.grad(model(x).square().sum(), x)
        step = 1e-6
        with torch.no_grad():
            ahead, back = (model(x + sign * step * way).square().sum() for sign in (1, -1))
        assert float((slope * way).sum()) == pytest.approx(float(ahead - back) / (2 * step), rel=1e-3)
        assert float(slope.abs().max()) > 0
    finally:
        model.float()


def test_projection_is_the_nearest_point_in_the_space_of_the_singular_vectors(
    plain: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    part = PCAProjection(components=10).part(plain, digits_train, 0)
    rows = digits_train.images.flatten(1).double()
    mean = rows.mean(0)
    _, values, vectors = torch.linalg.svd(rows - mean, full_matrices=False)
    x = digits.images[:50]
    away = x.flatten(1).double() - mean
    expected = mean + away @ vectors[:10].T @ vectors[:10]
    projected = part.changed(x)
    assert torch.allclose(projected.flatten(1).double(), expected, atol=1e-4)
    assert torch.allclose(part.changed(projected), projected, atol=1e-5)  # once is enough

    shares = values.square().cumsum(0) / values.square().sum()
    needed = int((shares < 0.8).sum()) + 1
    assert PCAProjection(components=0.8).part(plain, digits_train, 0).components == needed


def test_the_autoencoder_takes_noise_away(plain: Classifier, digits_train: Dataset, digits: Dataset) -> None:
    part = AutoencoderFront(noise=0.2, epochs=8).part(plain, digits_train, 0)
    noise = 0.2 * torch.randn(digits.images.shape, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        left = float((part.changed(digits.images + noise) - digits.images).square().mean())
        blank = float((digits_train.images.mean(0) - digits.images).square().mean())
    assert left < 0.75 * 0.2**2
    assert left < 0.5 * blank


def test_anova_is_between_over_within() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    rows = torch.rand(60, 4, generator=generator)
    rows[:, 1] += labels * 0.3
    rows[:, 2] = 0.7  # never varies
    found = informative(rows, labels, "anova", 0)
    for column in range(4):
        groups = [[float(rows[i, column]) for i in range(60) if labels[i] == one] for one in range(3)]
        means = [sum(group) / 20 for group in groups]
        middle = sum(means) / 3
        between = sum(20 * (mean - middle) ** 2 for mean in means) / 2
        within = sum((v - mean) ** 2 for group, mean in zip(groups, means, strict=True) for v in group) / 57
        expected = 0.0 if column == 2 else between / within
        assert float(found[column]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("by", ["anova", "mutual-information", "variance"])
def test_the_position_that_names_the_class_is_kept(by: str, plain: Classifier, digits_train: Dataset) -> None:
    images = 0.01 * torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(300) % 10
    images[:, 0, 3, 5] = labels / 10
    data = Dataset("one tells", images, labels, digits_train.classes)
    part = FeatureSelection(keep=1 / 64, by=by).part(plain, data, 0)  # type: ignore[arg-type]
    assert part.kept.nonzero().tolist() == [[0, 3, 5]]


def test_what_is_not_kept_cannot_be_attacked(wrapped: Callable[[str], Classifier], digits: Dataset) -> None:
    model = wrapped("feature-selection")
    part = model.defences[0]
    assert isinstance(part, Selection)
    assert int(part.kept.sum()) == 32
    noise = torch.rand(digits.images.shape, generator=torch.Generator().manual_seed(0))
    moved = torch.where(part.kept, digits.images, noise)
    assert torch.equal(model(moved), model(digits.images))
    assert torch.allclose(part.changed(noise)[:, ~part.kept], part.mean[~part.kept].expand(len(noise), -1))


def by_loops(image: Tensor, orientations: int, cells: int) -> list[float]:
    """Edge histograms of one image ``(c, h, w)`` whose sides the cells divide, pixel by pixel."""
    channels, height, width = image.shape
    tall, wide = height // cells, width // cells
    found = [[[0.0] * cells for _ in range(cells)] for _ in range(orientations)]
    for channel in range(channels):
        for row in range(height):
            for column in range(width):

                def at(r: int, c: int, channel: int = channel) -> float:
                    return float(image[channel, min(max(r, 0), height - 1), min(max(c, 0), width - 1)])

                right = (at(row, column + 1) - at(row, column - 1)) / 2
                down = (at(row + 1, column) - at(row - 1, column)) / 2
                for one in range(orientations):
                    angle = 2 * math.pi * one / orientations
                    along = max(0.0, right * math.cos(angle) + down * math.sin(angle))
                    found[one][row // tall][column // wide] += along / (tall * wide)
    flat = [value for plane in found for line in plane for value in line]
    length = math.sqrt(sum(value**2 for value in flat) + 1e-6)
    return [value / length for value in flat]


def test_edge_histograms_against_loops() -> None:
    images = torch.rand(2, 2, 6, 9, generator=torch.Generator().manual_seed(2))
    found = edge_histograms(images, 5, 3)
    for row, image in zip(found, images, strict=True):
        assert torch.allclose(row, torch.tensor(by_loops(image, 5, 3)), atol=1e-5)
    assert torch.allclose(edge_histograms(0.3 * images + 0.5, 5, 3), found, atol=1e-3)  # contrast plays no part


def test_fusion_mixes_two_opinions(plain: Classifier, digits: Dataset) -> None:
    part = FusedFeatures((1, 8, 8), 10, share=0.25)
    x = digits.images[:40]
    own = edge_histograms(x, 8, 4) @ part.head.weight.T + part.head.bias
    product = plain(x).softmax(1) ** 0.75 * own.softmax(1) ** 0.25
    expected = product / product.sum(1, keepdim=True)
    assert torch.allclose(part(x, plain).softmax(1), expected, atol=1e-5)


def test_the_share_is_the_likeliest(plain: Classifier, digits_train: Dataset) -> None:
    """A network that knows nothing leaves the word to the edges."""
    blank = hauberk.create("cnn", digits_train).eval()
    assert FeatureFusion(epochs=5).part(blank, digits_train, 0).share > 0.9
    assert FeatureFusion(epochs=1).part(plain, digits_train, 0).share < 0.9
    assert FeatureFusion(epochs=1, share=0.3).part(plain, digits_train, 0).share == 0.3


def test_the_edges_alone_know_digits(plain: Classifier, digits_train: Dataset, digits: Dataset) -> None:
    part = FeatureFusion(epochs=20).part(plain, digits_train, 0)
    right = part.opinion(digits.images).argmax(1) == digits.labels
    assert float(right.float().mean()) > 0.9


def test_a_refusal_within_stays_one(plain: Classifier, digits: Dataset, digits_train: Dataset) -> None:
    cautious = make("confidence", fpr=0.2).fit(plain, digits_train, Linf(0.1))
    assert isinstance(cautious.defences[0], Confidence)
    fused = make("feature-fusion", epochs=1).fit(cautious, digits_train, Linf(0.1))
    refused = cautious(digits.images).argmax(1) == 10
    assert 0 < int(refused.sum()) < len(digits)
    assert torch.equal(fused(digits.images).argmax(1) == 10, refused)


def test_the_network_can_learn_what_stands_in_front(
    plain: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    narrow = make("pca", components=6).fit(plain, digits_train, Linf(0.1))
    plan = TrainingPlan(epochs=3, learning_rate=3e-3, schedule="one-cycle")
    learnt = hauberk.train(narrow, digits_train, plan)
    part = learnt.defences[0]
    assert isinstance(part, Projection)
    assert torch.equal(part.basis, narrow.defences[0].basis)
    shares = [accuracy(one, digits.images, digits.labels) for one in (narrow, learnt)]
    assert shares[1] > shares[0] + 0.05


@pytest.mark.parametrize("name", ["pca", "autoencoder", "feature-selection", "feature-fusion"])
def test_one_image_is_too_few(name: str, plain: Classifier, digits: Dataset) -> None:
    with pytest.raises(ConfigError, match="all 1 images are alike"):
        make(name).fit(plain, digits.head(1), Linf(0.1))


def test_epochs_reach_what_learns_without_a_plan() -> None:
    """As ``harden --epochs`` and ``--set epochs`` hand them over."""
    made = make("autoencoder", plan={"epochs": 3})
    assert isinstance(made, AutoencoderFront)
    assert made.epochs == 3
    with pytest.raises(ConfigError, match="method pca does not train: it has no epochs"):
        make("pca", plan={"epochs": 3})


def test_misuse(plain: Classifier, digits_train: Dataset, digits: Dataset) -> None:
    for value in (0, 2.5, -1, "x", True, math.nan):
        with pytest.raises(ConfigError, match="PCAProjection: components is a whole number"):
            PCAProjection(components=value)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="have at most 20 components, got components=30"):
        PCAProjection(components=30).part(plain, digits_train.head(20), 0)
    with pytest.raises(ConfigError, match="autoencoder: code must be a whole number"):
        AutoencoderFront(code=0)
    with pytest.raises(ConfigError, match="autoencoder: epochs must be a whole number"):
        AutoencoderFront(epochs=0)
    with pytest.raises(ConfigError, match="more than the 20000 for which dense layers make sense"):
        Autoencoder((3, 224, 224))
    with pytest.raises(ConfigError, match="keep must be above 0"):
        FeatureSelection(keep=0)
    with pytest.raises(UnknownName, match="did you mean 'anova'"):
        FeatureSelection(by="anovo")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="feature-fusion: share must lie in"):
        FeatureFusion(share=1.5)
    with pytest.raises(ConfigError, match=r"feature-fusion: cells must be a whole number in \[1, 8\], got 9"):
        FeatureFusion(cells=9).part(plain, digits_train, 0)
    with pytest.raises(ConfigError, match="feature-fusion takes images"):
        FusedFeatures((64,), 10)
    flat = Dataset("flat", digits.images.flatten(1), digits.labels, digits.classes)
    for name in QUICK:
        with pytest.raises(ConfigError, match=r"flat has images \(64,\), the classifier takes \(1, 8, 8\)"):
            make(name).fit(plain, flat, Linf(0.1))
