"""Thieves: what they ask, what they see, and that the surrogate learns from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hauberk
from hauberk.attacks.extraction import (
    AdaptiveChoice,
    JacobianAugmentation,
    KnockoffNets,
    RandomChoice,
    Thief,
    UncertainChoice,
    Victim,
    make_thief,
)
from hauberk.attacks.extraction.choices import k_means
from hauberk.attacks.extraction.jacobian import label_gradient
from hauberk.attacks.extraction.knockoff import shares
from hauberk.attacks.extraction.transcript import Imitation, Transcript, fingerprints
from hauberk.core.errors import BudgetExceeded, ConfigError, DataError, UnknownName, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.training import Moment, TrainingPlan, accuracy
from hauberk.threats import Bounds, Knowledge, Streams

QUICK = TrainingPlan(epochs=3, batch_size=32, learning_rate=5e-3, schedule="one-cycle")
SMALL: dict[str, Any] = {"plan": QUICK, "least_steps": 40, "architecture": "mlp", "args": {"hidden": [32]}}
THIEVES: list[Thief] = [
    KnockoffNets(**SMALL),
    KnockoffNets(choice=UncertainChoice(rounds=3), **SMALL),
    KnockoffNets(choice=AdaptiveChoice(groups=5, rounds=3), **SMALL),
    JacobianAugmentation(seeds=30, **SMALL),
]

NAMES = ["random", "uncertain", "adaptive", "jacobian"]


class Watched(nn.Module):
    """Remembers every image that it was asked about."""

    def __init__(self, inner: Classifier) -> None:
        super().__init__()
        self.inner = inner
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach().clone())
        logits: Tensor = self.inner(x)
        return logits


def watched(plain: Classifier) -> tuple[Classifier, Watched]:
    module = Watched(plain)
    return Classifier(module, input_shape=(1, 8, 8), labels=plain.labels).eval(), module


@torch.no_grad()
def agreement(one: Classifier, other: Classifier, data: Dataset) -> float:
    return float((one(data.images).argmax(1) == other(data.images).argmax(1)).float().mean())


@pytest.mark.parametrize("knowledge", ["scores", "labels"])
@pytest.mark.parametrize("thief", THIEVES, ids=NAMES)
def test_budget_is_obeyed_exactly(
    thief: Thief, knowledge: str, plain: Classifier, digits: Dataset, digits_train: Dataset
) -> None:
    victim, door = watched(plain)
    before = {name: one.clone() for name, one in plain.state_dict().items()}
    theft = thief(victim, digits_train, queries=77, knowledge=knowledge, seed=2)
    asked = torch.cat(door.seen)
    # counted by the victim itself
    assert theft.queries == len(asked) == len(theft.transcript) == 77
    assert torch.equal(theft.transcript.images, asked)
    assert theft.history[-1].queries == 77
    assert [one.queries for one in theft.history] == sorted({one.queries for one in theft.history})
    # the answers are the victim's, and show no more than declared
    with torch.no_grad():
        logits = plain(asked)
    wanted = logits.softmax(1) if knowledge == "scores" else F.one_hot(logits.argmax(1), 10).float()
    assert torch.allclose(theft.transcript.answers, wanted, atol=1e-6)
    # the victim is as it was, the surrogate is a model of its own that says what it was made from
    assert all(torch.equal(one, before[name]) for name, one in plain.state_dict().items())
    assert not theft.surrogate.training
    said = theft.surrogate.evidence[-1].parameters
    assert said["victim"]["digest"] == victim.digest
    assert (said["queries"], said["knowledge"], said["thief"]) == (77, knowledge, repr(thief))
    last = accuracy(theft.surrogate, asked, logits.argmax(1))
    assert theft.history[-1].agreement == pytest.approx(last)


@pytest.mark.parametrize("thief", THIEVES, ids=NAMES)
def test_the_pools_labels_are_never_used(thief: Thief, plain: Classifier, digits_train: Dataset) -> None:
    shuffled = replace(
        digits_train,
        labels=(digits_train.labels * 7) % 3,
        classes=("a", "b", "c"),  # another number of classes too
    )
    true = thief(plain, digits_train, queries=60, seed=4)
    false = thief(plain, shuffled, queries=60, seed=4)
    assert torch.equal(true.transcript.images, false.transcript.images)
    assert true.surrogate.digest == false.surrogate.digest


@pytest.mark.parametrize("thief", THIEVES, ids=NAMES)
def test_same_seed_same_surrogate(thief: Thief, plain: Classifier, digits_train: Dataset) -> None:
    torch.manual_seed(1)
    first = thief(plain, digits_train, queries=60, seed=4)
    torch.manual_seed(2)  # the global generator has no say
    again = thief(plain, digits_train, queries=60, seed=4)
    other = thief(plain, digits_train, queries=60, seed=5)
    assert first.surrogate.digest == again.surrogate.digest
    assert first.surrogate.digest != other.surrogate.digest
    assert not torch.equal(first.transcript.images, other.transcript.images)


@pytest.mark.parametrize("thief", THIEVES[:3], ids=NAMES[:3])
def test_knockoff_asks_about_each_image_once(thief: Thief, plain: Classifier, digits_train: Dataset) -> None:
    pool = digits_train.head(90)
    theft = thief(plain, pool, queries=90, seed=0)
    rows = torch.cdist(theft.transcript.images.flatten(1), pool.images.flatten(1)).argmin(1)
    assert sorted(rows.tolist()) == list(range(90))


def test_random_choice_asks_the_same_first_whatever_the_budget(
    plain: Classifier, digits_train: Dataset
) -> None:
    few = KnockoffNets(**SMALL)(plain, digits_train, queries=20, seed=3)
    more = KnockoffNets(choice=RandomChoice(rounds=2), **SMALL)(plain, digits_train, queries=50, seed=3)
    assert torch.equal(more.transcript.images[:20], few.transcript.images)


def test_uncertain_choice_takes_the_smallest_margins(plain: Classifier, digits_train: Dataset) -> None:
    """Of the second round, seen from the surrogate of the first."""
    thief = KnockoffNets(choice=UncertainChoice(rounds=2), **SMALL)
    theft = thief(plain, digits_train, queries=40, seed=1)
    first = thief.learn(
        replace(theft.transcript, images=theft.transcript.images[:20], answers=theft.transcript.answers[:20]),
        seed=1,
    )
    with torch.no_grad():
        best = first(digits_train.images).softmax(1).topk(2, dim=1).values
        asked = first(theft.transcript.images[20:]).softmax(1).topk(2, dim=1).values
    free = (best[:, 0] - best[:, 1]).sort().values
    # at most the 20 images of the first round can stand in between
    assert float((asked[:, 0] - asked[:, 1]).max()) <= float(free[39])


def test_adaptive_choice_prefers_groups_that_pay(plain: Classifier, digits_train: Dataset) -> None:
    """A pool of digits and of noise that the victim is unsure of: the policy turns to the digits."""
    noise = torch.rand(400, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    images = torch.cat([digits_train.images[:400], noise])
    pool = Dataset("half noise", images, torch.zeros(800, dtype=torch.int64), ("x", "y"))
    thief = KnockoffNets(choice=AdaptiveChoice(groups=8, rounds=6), **SMALL | {"least_steps": 10})
    shares_of_digits = []
    for seed in range(2):
        asked = thief(plain, pool, queries=320, seed=seed).transcript.images
        shares_of_digits.append(float((asked.flatten(1).amin(1) < 0.4).float().mean()))
    assert sum(shares_of_digits) / 2 > 0.6  # random: one half, with a standard error of 0.02


def test_k_means_finds_what_lies_apart() -> None:
    spots = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    truth = torch.arange(60) % 3
    points = spots[truth] + torch.rand(60, 2, generator=torch.Generator().manual_seed(1))
    group = k_means(points, 3, torch.Generator().manual_seed(5))
    for one in range(3):
        assert len(set(group[truth == one].tolist())) == 1
    assert len(set(group.tolist())) == 3


def test_jacobian_moves_the_seeds_by_one_step(plain: Classifier, digits_train: Dataset) -> None:
    thief = JacobianAugmentation(seeds=30, step_size=0.07, **SMALL)
    theft = thief(plain, digits_train, queries=60, seed=6)
    seeds, moved = theft.transcript.images[:30], theft.transcript.images[30:]
    first = thief.learn(replace(theft.transcript, images=seeds, answers=theft.transcript.answers[:30]), seed=6)
    # an independent gradient: of the probability itself
    point = seeds.clone().double().requires_grad_(True)
    labels = plain(seeds).argmax(1)
    probability = first.double()(point).softmax(1).gather(1, labels[:, None]).sum()
    (slope,) = torch.autograd.grad(probability, point)
    expected = (seeds - 0.07 * slope.sign()).clamp(0, 1).float()
    same = (moved - expected).abs() < 1e-5
    assert float(same.float().mean()) > 0.999  # a gradient of about 0 may round to either sign
    assert float((moved - seeds).abs().max()) <= 0.07 + 1e-6


def test_jacobian_turns_its_step_after_the_period(plain: Classifier, digits_train: Dataset) -> None:
    theft = JacobianAugmentation(seeds=10, period=1, **SMALL)(plain, digits_train, queries=40, seed=6)
    assert [one.queries for one in theft.history] == [10, 20, 40]
    away = JacobianAugmentation(seeds=10, period=9, **SMALL)(plain, digits_train, queries=40, seed=6)
    assert torch.equal(theft.transcript.images[:20], away.transcript.images[:20])
    one, other = (each.transcript.images[20:] - each.transcript.images[:20] for each in (theft, away))
    inside = (one != 0) & (other != 0)  # not clipped at either bound
    assert int(inside.sum()) > 100
    assert torch.equal(one[inside].sign(), -other[inside].sign())


def test_label_gradient_of_a_linear_model() -> None:
    """d log softmax / dx has the closed form W_y - sum p W."""
    torch.manual_seed(0)
    layer = nn.Linear(6, 4)
    model = Classifier(nn.Sequential(nn.Flatten(), layer), input_shape=(6,), labels=4).eval()
    x, labels = torch.rand(5, 6), torch.tensor([0, 1, 2, 3, 0])
    with torch.no_grad():
        truth = layer.weight[labels] - layer(x).softmax(1) @ layer.weight
    assert torch.allclose(label_gradient(model, x, labels), truth, atol=1e-6)


def test_soft_answers_reach_the_loss(plain: Classifier, digits: Dataset) -> None:
    """The lesson's loss is the cross-entropy against the very answers of these images, in any order."""
    images = digits.images[:50]
    answers = torch.rand(50, 10, generator=torch.Generator().manual_seed(3)).softmax(1)
    transcript = Transcript(images, answers, plain.labels, Bounds(0.0, 1.0), Knowledge.SCORES, {})
    order = torch.randperm(50, generator=torch.Generator().manual_seed(4))[:20]
    moment = Moment(0.0, Streams.for_samples(0, order))
    labels = torch.zeros(20, dtype=torch.int64)
    loss, logits = Imitation(transcript).loss(plain, images[order], labels, images[order], moment)
    expected = F.cross_entropy(plain(images[order]), answers[order])  # torch's own, with probabilities
    assert torch.allclose(loss, expected, atol=1e-6)
    assert logits.shape == (20, 10)
    with pytest.raises(AssertionError, match="nobody asked"):
        transcript.answers_to(digits.images[60:62])


def test_fingerprints_tell_images_apart(digits_train: Dataset) -> None:
    images = digits_train.images
    changed = images.clone()
    changed[:, 0, 3, 3] = torch.nextafter(changed[:, 0, 3, 3], torch.tensor(2.0))
    assert len(fingerprints(torch.cat([images, changed])).unique()) == len(
        torch.cat([images, changed]).flatten(1).unique(dim=0)
    )
    assert torch.equal(fingerprints(images[5:9]), fingerprints(images)[5:9])


def test_a_few_hundred_queries_steal_the_model(
    plain: Classifier, digits: Dataset, digits_train: Dataset
) -> None:
    figures = [
        agreement(KnockoffNets(**SMALL | {"least_steps": 200})(plain, digits_train, queries=count,
                                                             knowledge="labels").surrogate, plain, digits)
        for count in (20, 300)
    ]  # fmt: skip
    assert figures[1] > 0.85  # chance: 0.1
    assert figures[1] > figures[0] + 0.1


def test_another_surrogate_from_the_same_answers(
    plain: Classifier, digits: Dataset, digits_train: Dataset
) -> None:
    victim, door = watched(plain)
    thief = KnockoffNets(**SMALL)
    theft = thief(victim, digits_train, queries=200)
    asked = len(torch.cat(door.seen))
    second = replace(thief, architecture="cnn", args={}).learn(theft.transcript, seed=1)
    assert len(torch.cat(door.seen)) == asked == 200
    assert second.architecture == {"name": "cnn", "args": {}}
    assert agreement(second, plain, digits) > 0.6


def test_a_pool_of_other_images_and_bounds_per_channel(digits_train: Dataset) -> None:
    """Bounds travel to the surrogate; the pool's own classes do not."""
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Flatten(), nn.Linear(2 * 64, 3))
    victim = Classifier(inner, input_shape=(2, 8, 8), labels=["a", "b", "c"], bounds=([0, -1], [1, 2])).eval()
    images = digits_train.images[:100].repeat(1, 2, 1, 1)
    pool = Dataset("two channels", images, torch.zeros(100, dtype=torch.int64), ("x", "y"))
    theft = JacobianAugmentation(seeds=20, architecture="mlp", plan=QUICK, least_steps=20)(
        victim, pool, queries=40
    )
    assert theft.surrogate.bounds == victim.bounds
    assert theft.surrogate.labels == ("a", "b", "c")
    step = (theft.transcript.images[20:] - theft.transcript.images[:20]).abs().amax(dim=(0, 2, 3))
    assert torch.allclose(step, torch.tensor([0.1, 0.3]), atol=1e-6)  # a tenth of each channel's range


@pytest.mark.parametrize("parts", range(1, 9))
@pytest.mark.parametrize("total", [8, 23, 100])
def test_shares_add_up(total: int, parts: int) -> None:
    made = shares(total, parts)
    assert sum(made) == total
    assert max(made) - min(made) <= 1


def test_a_closed_door(plain: Classifier, digits: Dataset) -> None:
    victim, module = watched(plain)
    door = Victim(victim, queries=10, knowledge=Knowledge.LABELS)
    door.ask(digits.images[:7])
    with pytest.raises(BudgetExceeded, match="4 questions, but only 3 of 10"):
        door.ask(digits.images[:4])
    assert (door.spent, door.left, len(torch.cat(module.seen))) == (7, 3, 7)
    door.ask(digits.images[:3])
    assert door.left == 0


SETTINGS: list[tuple[str, Callable[[], object]]] = [
    ("seeds", lambda: JacobianAugmentation(seeds=0)),
    ("period", lambda: JacobianAugmentation(period=0)),
    ("step_size", lambda: JacobianAugmentation(step_size=-0.1)),
    ("least_steps", lambda: KnockoffNets(least_steps=0)),
    ("plan", lambda: KnockoffNets(plan=3)),  # type: ignore[arg-type]
    ("args", lambda: KnockoffNets(args="hidden")),  # type: ignore[arg-type]
    ("'adaptive'", lambda: KnockoffNets(choice="adaptiv")),
    ("choice", lambda: KnockoffNets(choice=RandomChoice)),  # type: ignore[arg-type]
    ("choice", lambda: KnockoffNets(choice=3)),  # type: ignore[arg-type]
    ("rounds", lambda: RandomChoice(rounds=0)),
    ("rounds", lambda: UncertainChoice(rounds=0)),
    ("groups", lambda: AdaptiveChoice(groups=0)),
    ("'knockoff'", lambda: make_thief("knockof")),
    ("'seeds'", lambda: make_thief("jacobian", seed=3)),
]


@pytest.mark.parametrize(("word", "make"), SETTINGS)
def test_settings_out_of_range(word: str, make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match=word):
        make()


def test_thefts_that_cannot_begin(plain: Classifier, digits: Dataset, digits_train: Dataset) -> None:
    victim, door = watched(plain)
    knockoff, jacobian = KnockoffNets(**SMALL), JacobianAugmentation(seeds=30, **SMALL)
    few = digits_train.head(20)
    refused: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (ConfigError, "the pool has 20 images", lambda: knockoff(victim, few, queries=21)),
        (ConfigError, "fewer than the 30 seeds", lambda: jacobian(victim, few, queries=40)),
        (ConfigError, "does not pay for the 30 seeds", lambda: jacobian(victim, digits_train, queries=29)),
        (ConfigError, "queries must be", lambda: knockoff(victim, few, queries=0)),
        (UnknownName, "'labels'", lambda: knockoff(victim, few, queries=5, knowledge="label")),
        (ConfigError, "sees the weights", lambda: knockoff(victim, few, queries=5, knowledge="white-box")),
        (ConfigError, "Classifier", lambda: knockoff(plain.module, few, queries=5)),  # type: ignore[arg-type]
        (DataError, "has images", lambda: knockoff(
            victim, replace(few, images=torch.zeros(20, 1, 9, 9)), queries=5)),
        (DataError, "leaves the valid bounds", lambda: knockoff(
            victim, replace(few, images=few.images - 1, bounds=(-1.0, 1.0)), queries=5)),
        (UnknownName, "'hidden'", lambda: replace(knockoff, args={"hiden": [3]})(victim, few, queries=5)),
        (UnknownName, "'mlp'", lambda: replace(knockoff, architecture="mpl")(victim, few, queries=5)),
        (ConfigError, "5 groups", lambda: KnockoffNets(choice=AdaptiveChoice(groups=5), **SMALL)(
            victim, digits_train.head(4), queries=4)),
    ]  # fmt: skip
    for kind, message, call in refused:
        with pytest.raises(kind, match=message):
            call()
    assert not door.seen  # nothing was asked


def test_a_victim_that_answers_nonsense(digits_train: Dataset) -> None:
    class Wide(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.zeros(len(x), 7)

    victim = Classifier(Wide(), input_shape=(1, 8, 8), labels=10).eval()
    with pytest.raises(UnsupportedModel, match="finite logits"):
        KnockoffNets(**SMALL)(victim, digits_train, queries=5)


def test_records_name_their_recipe(plain: Classifier, digits_train: Dataset) -> None:
    theft = THIEVES[3](plain, digits_train, queries=31)
    assert "seeds=30" in repr(theft)
    assert "31 queries" in repr(theft)
    assert hauberk.Evidence.from_json(theft.surrogate.evidence[-1].to_json()) is not None
