"""Transfer: samples from stand-ins, asked of the target once each; ensembles, views and substitutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hauberk
from hauberk.attacks.apgd import APGD
from hauberk.attacks.extraction import JacobianAugmentation, KnockoffNets
from hauberk.attacks.fgsm import FGSM
from hauberk.attacks.pgd import BIM, PGD
from hauberk.attacks.query import Square
from hauberk.attacks.transfer import (
    InputDiversity,
    ScaleCopies,
    Siege,
    SubstituteTransfer,
    Transfer,
    TranslationInvariance,
    View,
    ensemble,
)
from hauberk.core.errors import ConfigError, UnknownName, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan
from hauberk.threats import L0, L1, L2, Geometry, Knowledge, Linf, Streams, ThreatModel

QUICK: dict[str, Any] = {
    "plan": TrainingPlan(epochs=3, batch_size=32, learning_rate=5e-3, schedule="one-cycle"),
    "architecture": "mlp",
    "args": {"hidden": [32]},
    "least_steps": 60,
}
BALL = Linf(0.15)


def asking(geometry: Geometry, *, queries: int | None = None, targeted: bool = False) -> ThreatModel:
    return ThreatModel(geometry, targeted=targeted, knowledge=Knowledge.LABELS, queries=queries)


@pytest.fixture(scope="module")
def source(digits_train: Dataset) -> Classifier:
    plan = TrainingPlan(epochs=4, batch_size=64, learning_rate=5e-3, schedule="one-cycle")
    return hauberk.train(hauberk.create("mlp", digits_train, seed=7), digits_train, plan, seed=7)


@pytest.fixture(scope="module")
def other(digits_train: Dataset) -> Classifier:
    plan = TrainingPlan(epochs=4, batch_size=64, learning_rate=5e-3, schedule="one-cycle")
    blank = hauberk.create("mlp", digits_train, seed=8, args={"hidden": [64]})
    return hauberk.train(blank, digits_train, plan, seed=8)


def linear(weight: Tensor, *, bounds: tuple[float, float] = (-9.0, 9.0)) -> Classifier:
    layer = nn.Linear(weight.shape[1], len(weight), bias=False)
    layer.weight = nn.Parameter(weight.clone())
    return Classifier(layer, input_shape=(weight.shape[1],), labels=len(weight), bounds=bounds).eval()


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("geometry", [Linf(0.15), L2(0.9), L1(4.0), L0(6)], ids=lambda one: one.norm)
def test_contract(
    geometry: Geometry, targeted: bool, plain: Classifier, source: Classifier, digits: Dataset
) -> None:
    """As ``test_contract.py`` holds every attack to; this one cannot be configured without a source."""
    images, labels = digits.images[:60], digits.labels[:60]
    targets = (labels + 1) % 10 if targeted else None
    before = [{k: v.clone() for k, v in one.state_dict().items()} for one in (plain, source)]
    attack = Transfer(sources=(source,), attack=PGD(steps=5, restarts=2), views=(InputDiversity(),))
    result = attack(plain, images, labels, asking(geometry, targeted=targeted), targets=targets, seed=3)

    for one, kept in zip((plain, source), before, strict=True):
        assert all(torch.equal(value, kept[key]) for key, value in one.state_dict().items())
        assert not one.training
        assert all(parameter.requires_grad for parameter in one.parameters())
    assert 0 <= float(result.candidates.min()) <= float(result.candidates.max()) <= 1
    change = (result.candidates - images).double().numpy().reshape(60, -1)
    if geometry.norm == "l0":
        distance = (change != 0).sum(axis=1)
    else:
        order = {"linf": np.inf, "l2": 2, "l1": 1}[geometry.norm]
        distance = np.array([np.linalg.norm(row, ord=order) for row in change])
    assert (distance <= geometry.eps * (1 + 1e-5) + 1e-6).all()
    with torch.no_grad():
        clean, now = plain(images).argmax(1), plain(result.candidates).argmax(1)
    reached = now == targets if targets is not None else now != labels
    assert torch.equal(result.success, reached & (clean == labels))
    assert torch.equal(result.misclassified, clean != labels)
    assert bool((result.gradients == 0).all())


def test_fgsm_from_a_linear_source_has_a_closed_form() -> None:
    """The step is eps against the source's own weights, whatever the target's are."""
    mine, theirs = (
        torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, 1.0]]),
        torch.tensor([[1.0, 0.1, 0.3], [0.0, 0, 0]]),
    )
    x = torch.tensor([[2.0, 1.0, 1.0]])
    attack = Transfer(sources=(linear(mine),), attack=FGSM())
    result = attack(linear(theirs), x, torch.tensor([0]), asking(Linf(0.4)))
    assert torch.allclose(result.candidates, x + 0.4 * (mine[1] - mine[0]).sign())


def test_all_steps_are_taken_though_the_source_falls_early() -> None:
    """A sample that barely fools its source would not carry over: the move must reach the ball's edge."""
    weight = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    x = torch.tensor([[0.1, 0.0]])
    result = Transfer(sources=(linear(weight),), attack=BIM(steps=10))(
        linear(weight), x, torch.tensor([0]), asking(Linf(1.0))
    )
    assert result.candidates[0, 0].item() == pytest.approx(-0.9, abs=1e-6)


class Counting(nn.Module):
    def __init__(self, inner: Classifier) -> None:
        super().__init__()
        self.inner = inner
        self.images = 0

    def forward(self, x: Tensor) -> Tensor:
        self.images += len(x)
        logits: Tensor = self.inner(x)
        return logits


@pytest.mark.parametrize(
    ("restarts", "budget", "most"), [(1, None, 2), (3, None, 4), (3, 3, 3), (3, 2, 2), (3, 1, 1)]
)
def test_one_question_for_each_sample_tried(
    restarts: int, budget: int | None, most: int, hardened: Classifier, source: Classifier, digits: Dataset
) -> None:
    images, labels = digits.images[:80], digits.labels[:80]
    module = Counting(hardened)
    target = Classifier(module, input_shape=(1, 8, 8), labels=10).eval()
    attack = Transfer(sources=(source,), attack=PGD(steps=3, restarts=restarts))
    result = attack(target, images, labels, asking(BALL, queries=budget))
    right = ~result.misclassified
    assert bool((result.queries[~right] == 1).all())
    assert bool((result.queries[right & ~result.success] == most).all())
    assert bool((result.queries <= most).all())
    # all that the target was asked: the frame's probe (2 x 8) and second look (80), and what is accounted for
    assert module.images == 16 + 80 + int(result.queries.sum())
    if budget == 1:
        assert torch.equal(result.candidates, images)
        assert not bool(result.success.any())


def test_far_more_than_noise(plain: Classifier, source: Classifier, digits: Dataset) -> None:
    noise = digits.images + BALL.eps * Streams.for_samples(0, torch.arange(len(digits))).signs((1, 8, 8))
    with torch.no_grad():
        by_chance = float((plain(noise.clamp(0, 1)).argmax(1) != digits.labels).float().mean())
    result = Transfer(sources=(source,))(plain, digits.images, digits.labels, asking(BALL))
    assert 1 - result.robust_accuracy > by_chance + 0.3
    again = Transfer(sources=(source,), attack=PGD(steps=10, restarts=4))(
        plain, digits.images, digits.labels, asking(BALL)
    )
    assert again.success.sum() >= result.success.sum()


def test_white_box_source_is_as_good_as_white_box(plain: Classifier, digits: Dataset) -> None:
    """With the target itself as the source nothing is lost on the way."""
    images, labels = digits.images[:100], digits.labels[:100]
    direct = APGD(steps=20)(plain, images, labels, BALL, seed=1)
    carried = Transfer(sources=(plain,), attack=APGD(steps=20))(plain, images, labels, asking(BALL), seed=1)
    assert int(carried.success.sum()) >= int(direct.success.sum()) - 3


@pytest.mark.parametrize(
    "views",
    [(), (InputDiversity(),), (ScaleCopies(copies=2), InputDiversity()), (TranslationInvariance(),)],
    ids=["plain", "di", "si-di", "ti"],
)
def test_result_does_not_depend_on_the_batch(
    views: tuple[View, ...], plain: Classifier, source: Classifier, digits: Dataset
) -> None:
    images, labels = digits.images[:40], digits.labels[:40]
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    attack = Transfer(sources=(source,), attack=PGD(steps=4, restarts=2), views=views)
    whole = attack(plain, images, labels, asking(BALL), seed=5)
    again = attack(plain, images, labels, asking(BALL), seed=5)
    shuffled = attack(plain, images[order], labels[order], asking(BALL), seed=5, indices=order, batch_size=7)
    assert torch.equal(whole.candidates, again.candidates)
    assert torch.equal(whole.success[order], shuffled.success)
    assert torch.equal(whole.queries[order], shuffled.queries)
    close = (whole.candidates[order] - shuffled.candidates).abs() < 1e-4
    assert float(close.float().mean()) > 0.98


def test_seeds_and_views_change_the_result(plain: Classifier, source: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:30], digits.labels[:30]
    attack = Transfer(sources=(source,), views=(InputDiversity(),))
    one = attack(plain, images, labels, asking(BALL), seed=1).candidates
    assert not torch.equal(one, attack(plain, images, labels, asking(BALL), seed=2).candidates)
    bare = Transfer(sources=(source,))(plain, images, labels, asking(BALL), seed=1).candidates
    assert not torch.equal(one, bare)


def test_starts_are_taken_up(plain: Classifier, source: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:10], digits.labels[:10]
    attack = Transfer(sources=(source,), attack=PGD(steps=1, step_size=1e-9))
    starts = (images + 0.1).clamp(0, 1)
    result = attack(plain, images, labels, asking(BALL), starts=starts)
    right = ~result.misclassified
    assert torch.allclose(result.candidates[right], starts[right], atol=1e-6)


def test_ensemble_means(source: Classifier, other: Classifier, plain: Classifier, digits: Dataset) -> None:
    members, x = (source, other, plain), digits.images[:20]
    with torch.no_grad():
        answers = torch.stack([one(x) for one in members])
        assert torch.allclose(ensemble(members)(x), answers.mean(0), atol=1e-5)
        together = ensemble(members, average="probabilities")(x).softmax(1)
        assert torch.allclose(together, answers.softmax(2).mean(0), atol=1e-5)
    assert ensemble((source,)) is source


def test_an_ensemble_of_linear_sources_steps_along_their_mean() -> None:
    first, second = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[-3.0, 1.0], [0.0, 0.0]])
    attack = Transfer(sources=(linear(first), linear(second)), attack=FGSM())
    result = attack(linear(first), torch.tensor([[2.0, 1.0]]), torch.tensor([0]), asking(Linf(0.5)))
    # the mean's weights are (-1, 0.5) for class 0, so less of it lies at (+, -)
    assert torch.allclose(result.candidates, torch.tensor([[2.5, 0.5]]))


def test_translation_invariance_is_a_gaussian_blur() -> None:
    spot = torch.zeros(1, 2, 7, 7)
    spot[0, 1, 3, 3] = 1.0
    blurred = TranslationInvariance(size=5).gradient(spot)
    along = np.exp(-(np.linspace(-3, 3, 5) ** 2) / 2)
    kernel = np.outer(along, along) / np.outer(along, along).sum()
    assert np.allclose(blurred[0, 1, 1:6, 1:6].numpy(), kernel, atol=1e-6)
    assert bool((blurred[0, 0] == 0).all())


def test_scale_copies_average_the_gradient() -> None:
    """On a linear source the copies' gradients are W, W / 2, W / 4: their mean points where W does."""
    x = torch.tensor([[2.0, 1.0]])
    shown = ScaleCopies(copies=3).points(x, Streams.for_samples(0, torch.arange(1)))
    assert [one.tolist() for one in shown] == [[[2.0, 1.0]], [[1.0, 0.5]], [[0.5, 0.25]]]


def test_input_diversity_moves_and_shrinks_each_sample_by_itself(digits: Dataset) -> None:
    x = torch.ones(400, 1, 8, 8)
    streams = Streams.for_samples(3, torch.arange(400), "views")
    (shown,) = InputDiversity(least=0.5, probability=0.7).points(x, streams)
    changed = (shown != 1).flatten(1).any(1)
    assert 0.6 < float(changed.float().mean()) < 0.8  # 0.7 within four standard errors
    area = shown[changed].flatten(1).sum(1) / 64
    assert 0.2 < float(area.min()) < 0.4  # a side of one half leaves a quarter
    assert float(area.max()) <= 1 + 1e-5
    # alone or in company, the same draw
    (alone,) = InputDiversity(least=0.5, probability=0.7).points(x[17:18], streams[torch.tensor([17])])
    assert torch.allclose(alone[0], shown[17])
    # gradients pass, and the ground is what it is told to be
    point = digits.images[:50].clone().requires_grad_(True)
    (drawn,) = InputDiversity(probability=1.0, least=0.5, fill=0.25).points(point, streams[torch.arange(50)])
    (slope,) = torch.autograd.grad(drawn.sum(), point)
    assert bool((slope.flatten(1).abs().sum(1) > 0).all())
    flat = torch.full((50, 1, 8, 8), 0.25)
    (still,) = InputDiversity(probability=1.0, fill=0.25).points(flat, streams[torch.arange(50)])
    assert torch.allclose(still, flat)


def test_draws_of_a_view_are_averaged(source: Classifier, plain: Classifier, digits: Dataset) -> None:
    """More draws bring the gradient nearer to its mean: two seeds agree better."""
    images, labels = digits.images[:60], digits.labels[:60]

    def both(eot: int) -> float:
        attack = Transfer(sources=(source,), attack=FGSM(eot=eot), views=(InputDiversity(least=0.6),))
        one, two = (attack(plain, images, labels, asking(BALL), seed=seed).candidates for seed in (1, 2))
        return float((one == two).float().mean())

    assert both(12) > both(1) + 0.05


class TestSubstituteTransfer:
    def siege(
        self, plain: Classifier, pool: Dataset, digits: Dataset, queries: int | None, **settings: Any
    ) -> Siege:
        given: dict[str, Any] = {"building": 100, "thief": JacobianAugmentation(seeds=50, **QUICK)} | settings
        attack = SubstituteTransfer(**given)
        return attack(
            plain, pool, digits.images[:50], digits.labels[:50], asking(BALL, queries=queries), seed=2
        )

    def test_every_question_is_counted(self, plain: Classifier, digits: Dataset, digits_train: Dataset) -> None:
        module = Counting(plain)
        target = Classifier(module, input_shape=(1, 8, 8), labels=10).eval()
        siege = self.siege(target, digits_train, digits, queries=5)
        assert siege.building == 100
        assert siege.queries == 100 + int(siege.result.queries.sum())
        assert module.images == siege.queries + 16 + 50  # and the frame's probe and second look
        assert siege.queries <= 5 * 50
        assert siege.theft.transcript.knowledge is Knowledge.LABELS
        assert siege.substitutes == (siege.theft.surrogate.digest,)
        assert "100 queries to build" in repr(siege)

    def test_the_share_of_building_leaves_the_rest(
        self, plain: Classifier, digits: Dataset, digits_train: Dataset
    ) -> None:
        siege = self.siege(plain, digits_train, digits, queries=5, attack=PGD(steps=2, restarts=9))
        assert int(siege.result.queries.max()) <= 3  # 5 - 100 / 50
        with pytest.raises(
            ConfigError, match=r"does not pay for 100 questions shared by 50 samples \(2 each\)"
        ):
            self.siege(plain, digits_train, digits, queries=3)

    def test_a_wrong_call_costs_nothing(
        self, plain: Classifier, digits: Dataset, digits_train: Dataset
    ) -> None:
        module = Counting(plain)
        target = Classifier(module, input_shape=(1, 8, 8), labels=10).eval()
        attack, images, labels = (
            SubstituteTransfer(thief=KnockoffNets(**QUICK)),
            digits.images[:9],
            digits.labels[:9],
        )
        for wrong in (
            lambda: attack(target, digits_train, images + 5, labels, asking(BALL)),
            lambda: attack(target, digits_train, images, labels + 9, asking(BALL)),
            lambda: attack(target, digits_train, images, labels, asking(BALL, targeted=True)),
            lambda: attack(target, digits_train, images, labels, asking(Linf(5.0))),
        ):
            with pytest.raises(ValueError, match=r"bounds|labels|targets|range"):
                wrong()
        assert module.images == 0

    def test_further_substitutes_cost_nothing(
        self, plain: Classifier, digits: Dataset, digits_train: Dataset
    ) -> None:
        siege = self.siege(
            plain, digits_train, digits, None, further=("mlp",), thief=KnockoffNets(**QUICK), building=200
        )
        assert siege.building == 200
        assert len(set(siege.substitutes)) == 2
        assert all(one in siege.result.recipe for one in siege.substitutes)
        assert float(siege.result.success.float().mean()) > 0.3

    def test_same_seed_same_result(self, plain: Classifier, digits: Dataset, digits_train: Dataset) -> None:
        one, two = (self.siege(plain, digits_train, digits, 5) for _ in range(2))
        assert torch.equal(one.result.candidates, two.result.candidates)


@dataclass(frozen=True, kw_only=True, repr=False)
class OwnLoop(BIM):
    def run(self, problem: Any) -> Any:
        raise NotImplementedError


SETTINGS: list[tuple[str, Callable[[Classifier], object]]] = [
    ("at least one", lambda one: Transfer(sources=())),
    ("sources is a tuple", lambda one: Transfer(sources=one)),  # type: ignore[arg-type]
    ("Classifier", lambda one: Transfer(sources=(one.module,))),  # type: ignore[arg-type]
    ("by steps", lambda one: Transfer(sources=(one,), attack=Square())),  # type: ignore[arg-type]
    ("by steps", lambda one: Transfer(sources=(one,), attack=OwnLoop())),
    ("a view", lambda one: Transfer(sources=(one,), views=("di",))),  # type: ignore[arg-type]
    ("'logits'", lambda one: Transfer(sources=(one,), average="logit")),  # type: ignore[arg-type]
    ("member of an ensemble", lambda one: ensemble((one, linear(torch.eye(2))))),
    ("least", lambda one: InputDiversity(least=1.0)),
    ("probability", lambda one: InputDiversity(probability=0.0)),
    ("fill", lambda one: InputDiversity(fill=float("nan"))),
    ("copies", lambda one: ScaleCopies(copies=0)),
    ("odd", lambda one: TranslationInvariance(size=4)),
    ("building", lambda one: SubstituteTransfer(building=0)),
    ("thief", lambda one: SubstituteTransfer(thief="jacobian")),  # type: ignore[arg-type]
    ("further is a tuple", lambda one: SubstituteTransfer(further="mlp")),  # type: ignore[arg-type]
    ("'mlp'", lambda one: SubstituteTransfer(further=("mlpp",))),
    ("by steps", lambda one: SubstituteTransfer(attack=Square())),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("word", "make"), SETTINGS)
def test_settings_out_of_range(word: str, make: Callable[[Classifier], object], source: Classifier) -> None:
    with pytest.raises(ConfigError, match=word):
        make(source)
    assert issubclass(UnknownName, ConfigError)


def test_what_does_not_fit_the_target(plain: Classifier, source: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:4], digits.labels[:4]
    small = linear(torch.eye(2))
    with pytest.raises(ConfigError, match="source of transfer"):
        Transfer(sources=(small,))(plain, images, labels, asking(BALL))
    with pytest.raises(ConfigError, match="works on images"):
        Transfer(sources=(small,), views=(InputDiversity(),))(
            small, torch.ones(1, 2), torch.tensor([0]), asking(BALL)
        )
    with pytest.raises(ConfigError, match="gradients_from"):
        Transfer(sources=(source,))(plain, images, labels, asking(BALL), gradients_from=source)
    training = hauberk.create("mlp", digits).train()
    with pytest.raises(ConfigError, match="train mode"):
        Transfer(sources=(training,))

    class Detached(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.one_hot(x.detach().flatten(1).long().sum(1) % 10, 10).float()

    blind = Classifier(Detached(), input_shape=(1, 8, 8), labels=10).eval()
    with pytest.raises(UnsupportedModel, match="no gradient"):
        Transfer(sources=(blind,))(plain, images, labels, asking(BALL))


def test_recipe_names_sources_by_digest(source: Classifier, other: Classifier) -> None:
    text = repr(Transfer(sources=(source, other), views=(InputDiversity(),)))
    assert source.digest in text
    assert other.digest in text
    assert "MIFGSM(" in text
    assert "InputDiversity(least=0.9" in text
    assert "Linear" not in text
