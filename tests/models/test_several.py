"""Several classifiers as one: what they answer, how they travel, and that a vote hides nothing."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import hauberk
from hauberk.attacks import PGD
from hauberk.core.errors import AccessDenied, ConfigError, UnknownName
from hauberk.datasets import Dataset
from hauberk.models import Classifier, factories
from hauberk.models.importing import export
from hauberk.models.parts import BitDepth
from hauberk.models.several import Gated, Several, apart, ensemble, fusion

COUNTED = torch.tensor([[9, 0, 0], [0, 1, 0], [0, 1, 0]]), torch.tensor([[5, 4, 0], [4, 5, 0], [0, 0, 1]])


class Says(nn.Module):
    """The same logits whatever it is shown, with a slope."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits.float())

    def forward(self, x: Tensor) -> Tensor:
        return self.logits.expand(len(x), -1) + 0 * x.flatten(1).sum(1, keepdim=True)


def saying(*logits: Tensor) -> list[Classifier]:
    return [Classifier(Says(one), input_shape=(1, 2, 2), labels=3).eval() for one in logits]


def linear(seed: int, **contract: Any) -> Classifier:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    return Classifier(module, **{"input_shape": (1, 8, 8), "labels": 10, **contract}).eval()


def tiny_network(width: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


@pytest.fixture
def different(plain: Classifier, hardened: Classifier, digits_train: Dataset) -> list[Classifier]:
    """Members of three architectures; one normalises, one stands behind a part."""
    third = hauberk.create("mlp", digits_train, seed=3, args={"hidden": [16]})
    normalised = Classifier(
        third.module, input_shape=(1, 8, 8), labels=plain.labels, architecture=third.architecture,
        normalization=([0.3], [0.4]),
    ).eval()  # fmt: skip
    coarse = copy.deepcopy(hardened)
    coarse.defences = nn.ModuleList([BitDepth(2)])
    return [plain, coarse.eval(), normalised]


def test_answers_are_means(different: list[Classifier], digits: Dataset) -> None:
    x = digits.images[:30]
    with torch.no_grad():
        answers = torch.stack([one(x) for one in different])
        average, logits = ensemble(different), ensemble(different, combine="logits")
        assert torch.allclose(average(x).exp(), answers.softmax(2).mean(0), atol=1e-6)
        assert torch.allclose(logits(x), answers.mean(0), atol=1e-5)


def test_a_vote_is_counted_by_hand(different: list[Classifier], digits: Dataset) -> None:
    x = torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(0))  # nonsense divides the members
    voting, average = ensemble(different, combine="voting"), ensemble(different)
    with torch.no_grad():
        said = torch.stack([one(x).argmax(1) for one in different], dim=1).tolist()
        mean = torch.stack([one(x).softmax(1) for one in different]).mean(0)
        elected = voting(x).argmax(1).tolist()
    for ballots, probabilities, winner in zip(said, mean.tolist(), elected, strict=True):
        most = max(ballots.count(one) for one in range(10))
        candidates = [one for one in range(10) if ballots.count(one) == most]
        assert winner == max(candidates, key=lambda one: probabilities[one])
    disputed = [len(set(ballots)) > 1 for ballots in said]
    assert sum(disputed) > 50
    with torch.no_grad():
        assert (torch.tensor(elected) != average(x).argmax(1)).any()  # a sure minority does not outvote


def test_two_hesitant_members_outvote_a_sure_one() -> None:
    x = torch.zeros(1, 1, 2, 2)
    majority, tie = COUNTED
    assert ensemble(saying(*majority))(x).argmax() == 0
    assert ensemble(saying(*majority), combine="voting")(x).argmax() == 1
    torch.testing.assert_close(ensemble(saying(*tie), combine="voting")(x), ensemble(saying(*tie))(x))


def test_a_vote_has_the_slopes_of_the_average(different: list[Classifier]) -> None:
    x = torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    voting, average = ensemble(different, combine="voting"), ensemble(different)
    weights = torch.randn(300, 10, generator=torch.Generator().manual_seed(1))
    slopes = [torch.autograd.grad((one(x) * weights).sum(), x)[0] for one in (voting, average)]
    assert torch.equal(*slopes)
    assert not torch.equal(voting(x), average(x))


class Counting(nn.Module):
    """The vote as it is usually written: shares of the members, which have no slope."""

    def __init__(self, members: list[Classifier]) -> None:
        super().__init__()
        self.inner = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        ballots = torch.stack([one(x) for one in self.inner])
        counted = nn.functional.one_hot(ballots.argmax(2), 10).float().sum(0)
        return counted * 2 + 0 * ballots.sum(0)


def test_a_vote_hides_nothing(plain: Classifier, digits_train: Dataset, digits: Dataset) -> None:
    plan = hauberk.models.training.TrainingPlan(epochs=4, batch_size=64, learning_rate=5e-3)
    others = [
        hauberk.train(hauberk.create("mlp", digits_train, seed=one), digits_train, plan) for one in (1, 2)
    ]
    members = [plain, *others]
    images, labels, ball = digits.images[:100], digits.labels[:100], hauberk.Linf(0.15)
    voting, attack = ensemble(members, combine="voting"), PGD(steps=20)
    counting = Classifier(Counting(members), input_shape=(1, 8, 8), labels=10).eval()
    assert torch.equal(voting(images).argmax(1), counting(images).argmax(1))
    blind = attack(counting, images, labels, ball).robust_accuracy
    stand_in = ensemble(members)
    for model, source in ((voting, None), (voting, stand_in), (counting, stand_in)):
        seeing = attack(model, images, labels, ball, gradients_from=source).robust_accuracy
        assert seeing < blind - 0.4
        average = attack(ensemble(members), images, labels, ball).robust_accuracy
        assert seeing <= average + 0.1


def test_an_untrained_gate_trusts_all_alike(different: list[Classifier], digits: Dataset) -> None:
    x = digits.images[:20]
    fused = fusion(different, seed=1)
    assert isinstance(fused.module, Gated)
    assert torch.allclose(fused.module.shares(x), torch.full((20, 3), 1 / 3))
    assert torch.allclose(fused(x), ensemble(different)(x), atol=1e-5)
    assert fused.digest == fusion(different, seed=1).digest != fusion(different, seed=2).digest


def test_a_gate_that_trusts_one_answers_as_it(different: list[Classifier], digits: Dataset) -> None:
    x, fused = digits.images[:20], fusion(different)
    assert isinstance(fused.module, Gated)
    last: Any = fused.module.gate.judge[-1]
    last.bias.data = torch.tensor([-40.0, 0.0, -40.0])
    with torch.no_grad():
        assert torch.allclose(fused(x), different[1](x).log_softmax(1), atol=1e-5)


def test_fusions_are_taken_apart(plain: Classifier, hardened: Classifier, digits: Dataset) -> None:
    fused = fusion([plain, hardened])
    rows = apart(fused)
    assert list(rows) == ["M1", "M2", "average", "fusion"]
    assert [rows["M1"].digest, rows["M2"].digest] == [plain.digest, hardened.digest]
    assert rows["average"].digest == ensemble([plain, hardened]).digest
    with pytest.raises(ConfigError, match="only a fusion"):
        apart(plain)


@pytest.mark.parametrize("kind", ["average", "logits", "voting", "fusion", "nested"])
def test_packages_give_the_same_answers(
    kind: str, different: list[Classifier], digits: Dataset, tmp_path: Path
) -> None:
    if kind == "fusion":
        whole = fusion(different, width=4, seed=5)
    elif kind == "nested":
        whole = ensemble([ensemble(different, combine="voting"), fusion(different[:2])])
    else:
        whole = ensemble(different, combine=kind)
    hauberk.save(whole, tmp_path / "model")
    loaded = hauberk.load(tmp_path / "model")
    x = digits.images[:50]
    assert torch.equal(loaded(x), whole(x))
    assert loaded.digest == whole.digest
    assert isinstance(loaded.module, Several)
    assert isinstance(whole.module, Several)
    assert [one.digest for one in loaded.module.classifiers] == [one.digest for one in whole.module.classifiers]
    hauberk.save(loaded, tmp_path / "again")
    assert hauberk.load(tmp_path / "again").digest == whole.digest


def test_digests_name_the_members_and_their_order(plain: Classifier, hardened: Classifier) -> None:
    both = [ensemble(one).digest for one in ([plain, hardened], [hardened, plain])]
    votes = ensemble([plain, hardened], combine="voting").digest
    assert len({*both, votes}) == 3
    scaled = Classifier(
        plain.module, input_shape=(1, 8, 8), labels=plain.labels, architecture=plain.architecture,
        normalization=([0.0], [2.0]),
    ).eval()  # fmt: skip
    assert ensemble([scaled, hardened]).digest not in both


def test_half_precision_travels(different: list[Classifier], digits: Dataset, tmp_path: Path) -> None:
    whole = ensemble([one.double() for one in copy.deepcopy(different)])
    hauberk.save(whole, tmp_path / "model")
    assert torch.equal(hauberk.load(tmp_path / "model")(digits.images[:9]), whole(digits.images[:9]))


def test_exported_members_travel_with_their_programs(
    plain: Classifier, hardened: Classifier, digits: Dataset, tmp_path: Path
) -> None:
    whole = ensemble([export(plain), hardened, export(hardened)])
    package = hauberk.save(whole, tmp_path / "model")
    assert {"members/0/program.json", "members/2/program.json"} <= package.manifest["files"].keys()
    loaded = hauberk.load(tmp_path / "model")
    assert torch.equal(loaded(digits.images[:20]), whole(digits.images[:20]))


def test_members_cannot_bring_in_code_that_nobody_allowed(
    plain: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = f"{__name__}:tiny_network"
    own = Classifier(
        tiny_network(4), input_shape=(1, 8, 8), labels=plain.labels,
        architecture={"factory": factory, "args": {"width": 4}},
    ).eval()  # fmt: skip
    whole = ensemble([plain, own])
    hauberk.save(whole, tmp_path / "model")
    assert factory in factories.trusted()
    assert hauberk.load(tmp_path / "model").digest == whole.digest
    monkeypatch.setenv("HAUBERK_CONFIG", str(tmp_path / "somebody-else"))
    with pytest.raises(AccessDenied, match="tiny_network"):
        hauberk.load(tmp_path / "model")


def test_members_that_cannot_be_saved_are_told(plain: Classifier, tmp_path: Path) -> None:
    with pytest.raises(hauberk.core.errors.UnsupportedModel, match="does not say how to build"):
        hauberk.save(ensemble([plain, linear(0, labels=plain.labels)]), tmp_path / "model")


def test_misuse(plain: Classifier, digits: Dataset) -> None:
    with pytest.raises(UnknownName, match="did you mean 'voting'"):
        ensemble([plain, plain], combine="vote")
    with pytest.raises(ConfigError, match="an ensemble needs at least two classifiers"):
        ensemble([plain])
    with pytest.raises(ConfigError, match="members of an ensemble have labels"):
        ensemble([plain, linear(0, labels=[*"abcdefghij"])])
    with pytest.raises(ConfigError, match="10 classes, the others"):
        fusion([linear(0, labels=9), linear(0)])
    with pytest.raises(ConfigError, match=r"members of a fusion take inputs in"):
        fusion([linear(0), linear(1, bounds=(0.0, 2.0))])
    with pytest.raises(ConfigError, match="width must be a whole number"):
        fusion([plain, plain], width=0)
    with pytest.raises(ConfigError, match="train mode"):
        ensemble([plain, copy.deepcopy(plain).train()])
