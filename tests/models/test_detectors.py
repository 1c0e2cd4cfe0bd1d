"""Detectors against second opinions (scikit-learn, scipy, numpy); their thresholds, packages and refusals."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter
from scipy.special import softmax
from sklearn.covariance import EmpiricalCovariance
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

import hauberk
from hauberk.core.errors import ConfigError, UnknownName, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.defenses import make
from hauberk.models import Classifier
from hauberk.models.parts import Confidence, FeatureSqueezing, Mahalanobis, NearestNeighbours
from hauberk.models.parts.distances import penultimate
from hauberk.models.parts.squeezing import median_smoothed
from hauberk.models.stand_in import straight_through
from hauberk.threats import Linf

NAMES = ("feature-squeezing", "mahalanobis", "nearest-neighbours", "confidence")
THREAT = Linf(0.1)


def draws(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Head(nn.Module):
    """Features pass unchanged into a linear layer: what a detector of distances sees is its input."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.last = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(x)
        return logits


def test_mahalanobis_is_that_of_scikit_learn() -> None:
    labels = torch.arange(300) % 3
    mixing = draws(6, 6, seed=1)
    features = draws(300, 6) @ mixing + 4 * draws(3, 6, seed=2)[labels]
    detector = Mahalanobis(3, 6)
    detector.learn(features, labels)
    fresh = 3 * draws(40, 6, seed=3)
    found = detector.score(fresh, Head(6, 3))

    rows = features.double().numpy()
    centres = np.stack([rows[labels.numpy() == one].mean(0) for one in range(3)])
    tied = EmpiricalCovariance(assume_centered=True).fit(rows - centres[labels.numpy()])
    truth = np.stack([tied.mahalanobis(fresh.double().numpy() - centre) for centre in centres]).min(0)
    assert found.detach().numpy() == pytest.approx(truth, rel=1e-4)


def test_a_feature_that_is_silent_on_clean_data_is_not_ignored() -> None:
    labels = torch.arange(100) % 2
    features = draws(100, 3)
    features[:, 2] = 0.0
    detector = Mahalanobis(2, 3)
    detector.learn(features, labels)
    usual, odd = torch.zeros(1, 3), torch.tensor([[0.0, 0.0, 0.5]])
    scores = detector.score(torch.cat([usual, odd]), Head(3, 2))
    assert scores[1] > 1000 * scores[0]


def test_neighbours_are_those_of_scikit_learn() -> None:
    bank, fresh = draws(200, 5), draws(30, 5, seed=1)
    detector = NearestNeighbours(3, 5, bank=200, k=7)
    detector.learn(bank)
    found = detector.score(fresh, Head(5, 3)).detach().numpy()

    def scaled(rows: Tensor) -> np.ndarray:
        numbers = rows.double().numpy()
        return np.asarray(numbers / np.linalg.norm(numbers, axis=1, keepdims=True))

    far, _ = NearestNeighbors(n_neighbors=7).fit(scaled(bank)).kneighbors(scaled(fresh))
    assert np.sqrt(found) == pytest.approx(far[:, -1], abs=1e-3)


@pytest.mark.parametrize("size", [2, 3])
def test_the_median_is_that_of_scipy(size: int) -> None:
    images = torch.rand(3, 2, 7, 6, generator=torch.Generator().manual_seed(0))
    truth = [[median_filter(plane, size=size, mode="nearest") for plane in image] for image in images.numpy()]
    assert np.array_equal(median_smoothed(images, size).numpy(), np.array(truth))


def test_squeezing_scores_rise_with_the_distance_of_the_paper(plain: Classifier, digits: Dataset) -> None:
    x = digits.images[:50]
    detector = FeatureSqueezing(10, bits=2, median=2)
    with torch.no_grad():
        found = detector.score(x, plain).double().numpy()
        asked = [plain(one).double().numpy() for one in (x, (x * 3).round() / 3, median_smoothed(x, 2))]
    own, *others = (softmax(one, axis=1) for one in asked)
    distance = np.max([np.abs(own - one).sum(1) for one in others], axis=0)
    assert 2 * (1 - np.exp(-found)) == pytest.approx(distance, abs=1e-5)


def test_a_score_keeps_its_slope_where_the_distance_is_flat() -> None:
    x = torch.zeros(1, 1, 2, 2).requires_grad_(True)
    detector = FeatureSqueezing(2, bits=1, median=0)

    def inner(image: Tensor) -> Tensor:  # sure of one class for the input, of the other for its copy
        first = 400 * image.flatten(1).sum(1) + 200 * (image is x)
        return torch.stack([first - 100, 100 - first], dim=1)

    score = detector.score(x, inner)
    (slope,) = torch.autograd.grad(score.sum(), x)
    assert score.item() > 100
    assert slope.abs().min() > 1


@pytest.mark.parametrize(
    ("measure", "truth"),
    [
        ("softmax", lambda z: -np.log(softmax(z, axis=1).max(1))),
        ("margin", lambda z: -(np.sort(z)[:, -1] - np.sort(z)[:, -2])),
        ("energy", lambda z: -np.log(np.exp(z).sum(1))),
    ],
)
def test_measures_of_confidence(measure: str, truth: object) -> None:
    logits = draws(20, 4)
    found = Confidence(4, measure).score(logits, lambda x: x)
    assert callable(truth)
    assert found.numpy() == pytest.approx(truth(logits.double().numpy()), abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_threshold_refuses_the_stated_share(
    name: str, plain: Classifier, digits_train: Dataset, tmp_path: Path
) -> None:
    settings = {"bank": 200} if name == "nearest-neighbours" else {}
    guarded = make(name, fpr=0.1, samples=600, **settings).fit(plain, digits_train.head(600), THREAT)
    assert guarded.rejects
    images = digits_train.images[:600]
    with torch.no_grad():
        logits = guarded(images)
        refused = logits.argmax(1) == 10
        assert torch.allclose(logits[:, :10], plain(images), atol=1e-4)  # answers themselves do not change
    seen = 600
    if name == "nearest-neighbours":  # images of the bank are their own neighbours: the others tell
        part = guarded.defences[0]
        with torch.no_grad():
            _, features = penultimate(images, plain, 10)
        near = nn.functional.normalize(features) @ part.kept.T
        fresh = near.amax(1) < 1 - 1e-5
        refused, seen = refused[fresh], int(fresh.sum())
        assert seen == pytest.approx(400, abs=20)  # a few images of the digits resemble each other that much
        assert int(refused.sum()) == pytest.approx(0.1 * seen, abs=8)
    else:
        assert int(refused.sum()) == pytest.approx(60, abs=1)

    hauberk.save(guarded, tmp_path / "guarded")
    loaded = hauberk.load(tmp_path / "guarded")
    with torch.no_grad():
        assert torch.equal(loaded(images[:100]), guarded(images[:100]))
    told = loaded.evidence[-1]
    assert told.result["threshold"] == loaded.defences[0].args()["threshold"] == guarded.defences[0].threshold
    assert (told.parameters["fpr"], told.parameters["method"]) == (0.1, name)
    assert told.subject["digest"] == loaded.digest


def test_drawing_depends_on_the_seed_alone(plain: Classifier, digits_train: Dataset) -> None:
    defense = make("nearest-neighbours", samples=200)
    first, again, other = (defense.fit(plain, digits_train, THREAT, seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest


def test_one_detector_around_another(plain: Classifier, digits_train: Dataset, digits: Dataset) -> None:
    near = make("mahalanobis").fit(plain, digits_train, THREAT)
    both = make("feature-squeezing").fit(near, digits_train, THREAT)
    sure = make("feature-squeezing").fit(plain, digits_train, THREAT)
    x = digits.images
    with torch.no_grad():
        each = (near(x).argmax(1) == 10) | (sure(x).argmax(1) == 10)
        assert torch.equal(both(x).argmax(1) == 10, each)
    with pytest.raises(UnsupportedModel, match="asks the network several times"):
        make("mahalanobis").fit(sure, digits_train, THREAT)


def test_slopes_pass_through_the_squeezed_copy(plain: Classifier, digits: Dataset) -> None:
    x = digits.images[:8].clone().requires_grad_(True)
    detector = FeatureSqueezing(10, bits=1, median=0)
    guarded = copy.deepcopy(plain)
    guarded.defences = nn.ModuleList([detector])
    bridged = straight_through(guarded)
    own, through = (torch.autograd.grad(one(x)[:, 10].sum(), x)[0] for one in (guarded, bridged))
    assert torch.allclose(guarded(x), bridged(x), atol=1e-4)
    assert not torch.allclose(own, through)


def test_networks_without_a_linear_end_have_no_features(digits_train: Dataset) -> None:
    ends = nn.Sequential(nn.Conv2d(1, 10, 8), nn.Flatten())
    network = Classifier(ends, input_shape=(1, 8, 8), labels=10).eval()
    for name in ("mahalanobis", "nearest-neighbours"):
        with pytest.raises(UnsupportedModel, match="no linear layer ends the network"):
            make(name).fit(network, digits_train, THREAT)
    assert make("confidence").fit(network, digits_train, THREAT).rejects


def test_misuse(plain: Classifier, digits_train: Dataset) -> None:
    for name in NAMES:
        with pytest.raises(ConfigError, match="fpr must lie in"):
            make(name, fpr=1.0)
        with pytest.raises(ConfigError, match="samples must be a whole number of at least 2"):
            make(name, samples=1)
        other = hauberk.create("mlp", digits_train).eval()
        other.input_shape = (1, 28, 28)
        with pytest.raises(ConfigError, match="the classifier takes"):
            make(name).fit(other, digits_train, THREAT)
        guarded = make(name, samples=100).fit(plain, digits_train, THREAT)
        with pytest.raises(ConfigError, match=f"stands behind {name} already"):
            make(name, samples=100).fit(guarded, digits_train, THREAT)
    with pytest.raises(ConfigError, match="median must be 0 or at least 2"):
        make("feature-squeezing", median=1)
    with pytest.raises(ConfigError, match="there must be bits or median"):
        make("feature-squeezing", bits=0, median=0)
    with pytest.raises(ConfigError, match="bits"):
        make("feature-squeezing", bits=9)
    with pytest.raises(ConfigError, match="k must lie in"):
        make("nearest-neighbours", k=20, bank=10)
    with pytest.raises(ConfigError, match="too few for k = 10"):
        make("nearest-neighbours", samples=15).fit(plain, digits_train, THREAT)
    with pytest.raises(UnknownName, match="did you mean 'softmax'"):
        make("confidence", measure="softmacks")
    with pytest.raises(ConfigError, match="no image of class"):
        make("mahalanobis").fit(plain, digits_train.head(5), THREAT)
    vectors = Classifier(nn.Linear(64, 10), input_shape=(64,), labels=10).eval()
    flat = Dataset("flat", digits_train.images.flatten(1), digits_train.labels, digits_train.classes)
    with pytest.raises(UnsupportedModel, match="squeezes images"):
        make("feature-squeezing").fit(vectors, flat, THREAT)
    for bad in (float("nan"), "x"):
        with pytest.raises(ConfigError, match="threshold"):
            Confidence(10, threshold=bad)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="spread"):
        Confidence(10, spread=0.0)
    with pytest.raises(ConfigError, match="classes"):
        Confidence(1)
