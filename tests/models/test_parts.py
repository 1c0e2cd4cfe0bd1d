"""Parts around a network: they nest, travel in packages, and refusals count for the defender."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import hauberk
from hauberk.attacks import PGD
from hauberk.core.errors import ConfigError
from hauberk.datasets import Dataset
from hauberk.defenses import make
from hauberk.evaluation.judge import judge
from hauberk.models import Classifier
from hauberk.models.parts import BitDepth, Inner, Part, refusing
from hauberk.models.stand_in import straight_through
from hauberk.threats import Linf, ThreatModel


class Doubling(Part):
    name = "doubling"

    def forward(self, x: Tensor, inner: Inner) -> Tensor:
        return 2 * inner(x)


class RefusesBright(Part):
    """Refuses images whose mean is above ``limit``."""

    name = "refuses-bright"
    rejects = True

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, x: Tensor, inner: Inner) -> Tensor:
        return refusing(inner(x), 1e3 * (x.flatten(1).mean(1) - self.limit), 10)


def behind(classifier: Classifier, *parts: Part) -> Classifier:
    armoured = copy.deepcopy(classifier)
    armoured.defences = nn.ModuleList(parts)
    return armoured.eval()


def test_the_first_part_is_outermost(plain: Classifier, digits: Dataset) -> None:
    x = digits.images[:5]
    coarse = (x * 7).round() / 7
    assert torch.allclose(behind(plain, Doubling(), BitDepth(3))(x), 2 * plain(coarse))


def test_a_defended_model_travels_in_its_package(
    plain: Classifier, digits_train: Dataset, tmp_path: Path
) -> None:
    defended = make("bit-depth", bits=2).fit(plain, digits_train, Linf(0.2), name="coarse")
    package = hauberk.save(defended, tmp_path / "coarse")
    assert package.manifest["defences"] == [{"name": "bit-depth", "args": {"bits": 2, "low": 0.0, "high": 1.0}}]
    loaded = hauberk.load(tmp_path / "coarse")
    x = digits_train.images[:20]
    assert torch.equal(loaded(x), defended(x))
    assert loaded.digest == defended.digest != plain.digest
    birth = loaded.evidence[-1]
    assert (birth.parameters["method"], birth.parameters["bits"], birth.parameters["gradient"]) == (
        "bit-depth",
        2,
        "blocked",
    )
    assert birth.parents == (plain.evidence[-1].digest,)


def test_the_same_part_twice_is_refused(plain: Classifier, digits_train: Dataset) -> None:
    once = make("bit-depth").fit(plain, digits_train, Linf(0.2))
    with pytest.raises(ConfigError, match="stands behind bit-depth already"):
        make("bit-depth", bits=5).fit(once, digits_train, Linf(0.2))


def test_what_does_not_train_has_no_epochs() -> None:
    with pytest.raises(ConfigError, match="method bit-depth does not train: it has no epochs"):
        make("bit-depth", plan={"epochs": 3})


def test_slopes_pass_straight_through_parts(plain: Classifier, digits: Dataset) -> None:
    coarse = behind(plain, BitDepth(3))
    x = digits.images[:5].clone().requires_grad_(True)
    blocked = torch.autograd.grad(coarse(x).sum(), x)[0]
    bridged = torch.autograd.grad(straight_through(coarse)(x).sum(), x)[0]
    rounded = ((x * 7).round() / 7).detach().requires_grad_(True)
    assert not blocked.any()
    assert torch.allclose(bridged, torch.autograd.grad(plain(rounded).sum(), rounded)[0], atol=1e-5)
    assert torch.allclose(straight_through(coarse)(x), coarse(x), atol=1e-5)


def test_refusals_count_for_the_defender(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:60], digits.labels[:60]
    cautious = behind(plain, RefusesBright(float(images.flatten(1).mean(1).median()) + 1e-4))
    assert cautious.rejects
    bright = images.flatten(1).mean(1) > images.flatten(1).mean(1).median()
    logits = cautious(images)
    assert logits.shape == (60, 11)
    assert torch.equal(logits.argmax(1) == 10, bright)
    assert cautious.label(10) == "(rejected)"

    wrong = (labels + 1) % 10  # every accepted answer that is right now counts as mistaken
    folded = cautious.folded(logits, wrong)
    mistaken = folded.argmax(1) != wrong
    assert torch.equal(mistaken, ~bright & (plain(images).argmax(1) != wrong))

    found = judge(cautious, images, images, wrong, ThreatModel.of(Linf(0.1)))
    assert torch.equal(found.broken, mistaken)


def test_attacks_look_for_what_is_accepted_and_wrong(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:60], digits.labels[:60]
    limit = float(images.flatten(1).mean(1).max()) + 0.002  # all are accepted, and hardly more
    cautious = behind(plain, RefusesBright(limit))
    result = PGD(steps=40, objective="margin")(cautious, images, labels, Linf(0.2))
    assert result.success.float().mean() > 0.5
    fooled = result.candidates[result.success]
    assert bool((fooled.flatten(1).mean(1) <= limit).all())
