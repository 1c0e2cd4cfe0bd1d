"""Sparse-PGD: closed forms, and no weaker than the other attacks on a count of pixels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hauberk.attacks import JSMA, PGD, SparsePGD
from hauberk.core.errors import ConfigError
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.threats import L0, Linf, ThreatModel


def pixels(change: Tensor) -> Tensor:
    return (change != 0).any(dim=1).flatten(1).sum(dim=1)


def colour_model() -> tuple[Classifier, Tensor, Tensor, Tensor]:
    """A linear model on 3 x 4 x 4 images, images, labels, and what each pixel can gain at most."""
    generator = torch.Generator().manual_seed(2)
    normal = torch.randn((3, 4, 4), generator=generator)
    layer = nn.Linear(48, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.stack([normal.flatten() / 2, -normal.flatten() / 2]))
        layer.bias.zero_()
    model = Classifier(nn.Sequential(nn.Flatten(), layer), input_shape=(3, 4, 4), labels=2).eval()
    images = 0.3 + 0.4 * torch.rand((20, 3, 4, 4), generator=generator)
    with torch.no_grad():
        labels = model(images).argmax(1)
    toward = torch.where(labels.view(-1, 1, 1, 1) == 0, -normal, normal)
    gains = (toward * ((toward > 0).float() - images)).sum(dim=1).flatten(1)
    return model, images, labels, gains.sort(dim=1, descending=True).values


def test_finds_the_fewest_pixels_of_a_linear_model() -> None:
    model, images, labels, gains = colour_model()
    with torch.no_grad():
        logits = model(images)
    margin = (logits[:, 0] - logits[:, 1]).abs()
    fewest = 1 + (gains.cumsum(dim=1) < margin[:, None]).sum(dim=1)
    for count in range(1, int(fewest.max()) + 1):
        result = SparsePGD(steps=100)(model, images, labels, L0(count), seed=1)
        assert torch.equal(result.success, fewest <= count)
        assert bool((pixels(result.candidates - images) <= count).all())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_weaker_than_others_on_the_same_count(count: int, hardened: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:70], digits.labels[:70]
    sparse = SparsePGD(steps=40)(hardened, images, labels, L0(count))
    for other in (PGD(steps=40, restarts=2), JSMA(rivals=3, refinements=0)):
        assert int(sparse.success.sum()) >= int(other(hardened, images, labels, L0(count)).success.sum()) - 2


def test_more_restarts_are_never_worse(hardened: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:60], digits.labels[:60]
    one, two = (
        SparsePGD(steps=20, restarts=count)(hardened, images, labels, L0(2), seed=3) for count in (1, 2)
    )
    assert bool((two.success | ~one.success).all())
    assert int(two.success.sum()) > 0


def test_begins_from_given_points(hardened: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:60], digits.labels[:60]
    given = JSMA(rivals=3)(hardened, images, labels, L0(2))
    result = SparsePGD(steps=3, restarts=1)(hardened, images, labels, L0(2), starts=given.candidates)
    assert int(given.success.sum()) > 5
    assert bool(result.success[given.success].all())
    assert bool((pixels(result.candidates - images) <= 2).all())


def test_targets_and_budgets(hardened: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:30], digits.labels[:30]
    targets = (labels + 1) % 10
    threat = ThreatModel(L0(12), targeted=True)
    result = SparsePGD(steps=60)(hardened, images, labels, threat, targets=targets)
    with torch.no_grad():
        assert torch.equal(hardened(result.candidates).argmax(1)[result.success], targets[result.success])
    assert float(result.success.float().mean()) > 0.5
    for budget in (1, 2, 5):
        few = SparsePGD(steps=60)(hardened, images, labels, ThreatModel(L0(1), queries=budget))
        assert int(few.queries.max()) == budget


def test_only_counts_of_pixels(plain: Classifier, digits: Dataset) -> None:
    with pytest.raises(ConfigError, match="sparse-pgd works in l0"):
        SparsePGD()(plain, digits.images[:2], digits.labels[:2], Linf(0.1))
