"""Certificates by votes: the bound against its definition, the radius against a case with a closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import hauberk
from hauberk.core.errors import ConfigError, UnsupportedModel
from hauberk.core.progress import SILENT
from hauberk.datasets import Dataset
from hauberk.defenses import make
from hauberk.defenses.defense import wrap
from hauberk.evaluation.certify.record import Certificate
from hauberk.evaluation.certify.smoothing import SmoothingVotes, accuracy_at, lower_bound, quantile, votes
from hauberk.models import Classifier
from hauberk.models.parts import BitDepth, Smoothing
from hauberk.threats import L2, Linf, Streams, ThreatModel


def half_space(normal: Tensor, offset: float) -> Classifier:
    """Class 1 where ``normal . x + offset`` is above 0."""
    layer = nn.Linear(len(normal), 2)
    with torch.no_grad():
        layer.weight.copy_(torch.stack([torch.zeros_like(normal), normal]))
        layer.bias.copy_(torch.tensor([0.0, offset]))
    return Classifier(layer, input_shape=(len(normal),), labels=2).eval()


def certified(
    model: Classifier, x: Tensor, labels: Tensor, eps: float = 0.1, **settings: object
) -> list[Certificate]:
    certifier = SmoothingVotes(**settings)  # type: ignore[arg-type]
    return certifier.certificates(model, x, labels, ThreatModel.of(L2(eps)), seed=3, progress=SILENT)


@pytest.mark.parametrize(("count", "samples"), [(1, 1), (1, 20), (13, 20), (20, 20), (57, 100), (999, 1000)])
@pytest.mark.parametrize("alpha", [0.5, 0.05, 0.001])
def test_the_bound_by_its_definition(count: int, samples: int, alpha: float) -> None:
    low = lower_bound(count, samples, alpha)
    tail = sum(math.comb(samples, k) * low**k * (1 - low) ** (samples - k) for k in range(count, samples + 1))
    assert tail == pytest.approx(alpha, rel=1e-6)


def test_the_bound_is_a_quantile_of_beta() -> None:
    for count, samples in ((0, 10), (9_973, 10_000), (10_000, 10_000), (60_000, 100_000), (99_990, 100_000)):
        expected = stats.beta.ppf(0.001, count, samples - count + 1) if count else 0.0
        assert lower_bound(count, samples, 0.001) == pytest.approx(expected, rel=1e-9)


def test_radii_are_sound_and_close_in_a_half_space() -> None:
    """The smoothed half-space is the half-space, so the true radius is the distance to its plane.

    At alpha 0.001 each of 60 radii may be too large with a chance of 0.001: more than 2 with one of 4e-5.
    """
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(12, generator=generator)
    x = torch.rand((60, 12), generator=generator)
    offset = -float((x @ normal).median())
    distance = ((x @ normal + offset) / normal.norm()).abs()
    labels = (x @ normal + offset > 0).long()
    model = wrap(half_space(normal, offset), Smoothing(0.5, 4))
    found = certified(model, x, labels, samples=4000)
    radii = torch.tensor([0.0 if one.radius is None else one.radius for one in found])
    assert int((radii > distance).sum()) <= 2
    near = (distance > 0.1) & (distance < 1.2)  # beyond, 4000 copies cannot tell
    assert float((distance - radii)[near].mean()) < 0.08
    assert all(one.prediction in (None, one.label) for one in found)
    assert all(one.certified == (one.radius is not None and one.radius > 0.1001) for one in found)


def test_undecided_votes_abstain() -> None:
    model = wrap(half_space(torch.ones(4), -2.0), Smoothing(0.3, 4))
    (one,) = certified(model, torch.full((1, 4), 0.5), torch.tensor([1]), samples=1000)  # on the plane itself
    assert one.prediction is None
    assert one.radius is None
    assert not one.certified


def test_a_wrong_answer_is_never_certified() -> None:
    model = wrap(half_space(torch.ones(4), -1.0), Smoothing(0.1, 4))
    (one,) = certified(model, torch.full((1, 4), 0.9), torch.tensor([0]), samples=1000)
    assert (one.prediction, one.certified, one.by) == (1, False, None)
    assert one.radius is not None


def test_votes_follow_the_noise() -> None:
    model = half_space(torch.tensor([1.0, 0.0]), 0.0)
    stream = Streams.for_samples(0, torch.tensor([7]), "test")
    counts = votes(model, torch.tensor([0.2, 0.0]), 0.4, 20_000, stream)
    assert int(counts.sum()) == 20_000
    share = NormalDist().cdf(0.5)
    spread = math.sqrt(share * (1 - share) / 20_000)
    assert float(counts[1]) / 20_000 == pytest.approx(share, abs=5 * spread)  # false alarm: 6e-7
    assert torch.equal(votes(model, torch.tensor([0.2, 0.0]), 0.4, 20_000, stream), counts)


def test_each_sample_has_noise_of_its_own(plain: Classifier, digits: Dataset) -> None:
    model = wrap(plain, Smoothing(0.2, 4))
    images, labels = digits.images[:4], digits.labels[:4]
    settings = {"select": 20, "samples": 300}
    four = certified(model, images, labels, **settings)
    assert four[:2] == certified(model, images[:2], labels[:2], **settings)
    alike = certified(model, images[:1].expand(8, -1, -1, -1), labels[:1].expand(8), **settings)
    assert len({one.radius for one in alike}) > 1


def test_accuracy_at_radii() -> None:
    rows = [
        Certificate(index=0, label=1, prediction=1, certified=True, radius=0.6),
        Certificate(index=1, label=1, prediction=0, certified=False, radius=0.9),
        Certificate(index=2, label=1, prediction=None, certified=False),
        Certificate(index=3, label=1, prediction=1, certified=True, radius=0.2),
    ]
    assert [row["certified_accuracy"] for row in accuracy_at(rows, (0.0, 0.25, 0.75))] == [0.5, 0.25, 0.0]


def test_from_noise_training_to_a_certificate(
    digits_train: Dataset, digits: Dataset, plain: Classifier
) -> None:
    threat = L2(0.25)
    noisy = make("gaussian", sigma=0.25, plan={"epochs": 4, "batch_size": 64, "learning_rate": 5e-3}).fit(
        plain, digits_train, threat
    )
    history = noisy.evidence[-1].result["history"]
    assert all(0 < row["held_out_noisy"] <= 1 for row in history)
    best = max(row["held_out_noisy"] for row in history)
    assert history[noisy.evidence[-1].result["best_epoch"] - 1]["held_out_noisy"] == best
    data = digits.head(40)
    shares = []
    for network in (plain, noisy):
        model = make("smoothing", sigma=0.25, samples=16).fit(network, digits_train, threat)
        rows = certified(model, data.images, data.labels, eps=0.25, select=50, samples=500)
        shares.append(sum(one.certified for one in rows) / len(rows))
    assert shares[1] > 0.6
    assert shares[1] > shares[0]
    # what is certified must not fall: the model estimates the smoothed one with few copies, so one may
    steady = wrap(noisy, Smoothing(0.25, 200))
    torch.manual_seed(0)
    attacked = hauberk.attacks.PGD(steps=10, eot=2)(steady, data.images, data.labels, L2(0.25))
    fallen = sum(bool(won) and row.certified for won, row in zip(attacked.success, rows, strict=True))
    assert fallen <= 1


BAD: list[tuple[Callable[[Classifier], object], type[Exception], str]] = [
    (lambda model: certified(model, torch.zeros(1, 4), torch.tensor([0])), UnsupportedModel, "smoothed model"),
    (
        lambda model: certified(
            wrap(wrap(model, Smoothing()), BitDepth()), torch.zeros(1, 4), torch.tensor([0])
        ),
        UnsupportedModel,
        "bit-depth stands outside of the smoothing",
    ),
    (
        lambda model: SmoothingVotes().certificates(
            model, torch.zeros(1, 4), torch.tensor([0]), ThreatModel.of(Linf(0.1)), seed=0, progress=SILENT
        ),
        ConfigError,
        "certifies norm l2, got linf",
    ),
    (lambda model: SmoothingVotes(samples=0), ConfigError, "smoothing: samples"),
    (lambda model: SmoothingVotes(select=True), ConfigError, "smoothing: select"),
    (lambda model: SmoothingVotes(alpha=1.0), ConfigError, "smoothing: alpha"),
]


@pytest.mark.parametrize(("call", "error", "says"), BAD)
def test_misuse(call: Callable[[Classifier], object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call(half_space(torch.ones(4), 0.0))


def test_the_hint_says_how_to_smooth() -> None:
    with pytest.raises(UnsupportedModel) as caught:
        certified(half_space(torch.ones(4), 0.0), torch.zeros(1, 4), torch.tensor([0]))
    assert "harden --method gaussian" in str(caught.value.hint)
    assert quantile(0.0) == -math.inf
    assert replace(SmoothingVotes(), alpha=0.01).confidence == pytest.approx(0.99)
