"""PGD training's kin: each loss against the paper's formula, each inner point inside, each promise kept."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hauberk
from hauberk import defenses
from hauberk.attacks import FGSM, PGD
from hauberk.core.errors import ConfigError, UnknownName
from hauberk.datasets import Dataset
from hauberk.defenses.defense import wrap
from hauberk.defenses.training import (
    MART,
    TRADES,
    AdversarialTraining,
    AdvGANAugmentation,
    FastAdversarialTraining,
    FGSMMixing,
    FreeAdversarialTraining,
)
from hauberk.defenses.training.fast import FastLesson
from hauberk.defenses.training.mart import boosted_cross_entropy
from hauberk.models import Classifier
from hauberk.models.parts import BitDepth, Part, Quantise, ResizePad
from hauberk.models.training import Lesson, Moment, TrainingPlan
from hauberk.threats import L0, L1, L2, Geometry, Linf, Streams, ThreatModel

FAMILY = ("pgd", "trades", "mart", "fgsm-rs", "free", "fgsm-mix")
SHORT = {"epochs": 8, "batch_size": 64, "learning_rate": 5e-3, "schedule": "one-cycle"}


def lesson_of(name: str, classifier: Classifier, geometry: Geometry, **settings: Any) -> Lesson:
    defense: Any = defenses.make(name, **settings)
    made: Lesson = defense.lesson(classifier, ThreatModel.of(geometry))
    return made


def moment_for(images: Tensor, fraction: float = 0.9, **more: Any) -> Moment:
    return Moment(fraction, Streams.for_samples(0, torch.arange(len(images)), "training", 0), **more)


def by_hand(logits: Tensor) -> Tensor:
    """Softmax from its definition, in double precision."""
    powers = (logits.detach().double() - logits.detach().double().amax(dim=1, keepdim=True)).exp()
    return powers / powers.sum(dim=1, keepdim=True)


# the radius


@pytest.mark.parametrize(
    ("radius", "shares"),
    [
        ("linear", [0.001, 0.5, 1.0, 2.0, 2.0]),
        ("cosine", [0.001, 0.292893, 1.0, 2.0, 2.0]),
        ("constant", [2.0] * 5),
    ],
)
def test_radius_grows_in_the_shape_asked_for(radius: Any, shares: list[float], plain: Classifier) -> None:
    lesson = lesson_of("pgd", plain, Linf(0.1), radius=radius, warmup=0.4, margin=2.0)
    eps = [lesson.eps(fraction) for fraction in (0.0, 0.1, 0.2, 0.4, 1.0)]
    assert eps == pytest.approx([0.1 * one for one in shares], rel=1e-5)


@pytest.mark.parametrize("name", FAMILY)
def test_the_whole_family_has_one_schedule_and_refuses_what_cannot_be(name: str) -> None:
    kind = type(defenses.make(name)).__name__
    for warmup in (1.0, 1.5, -0.1):
        with pytest.raises(ConfigError, match=rf"{kind}: warmup must lie in \[0, 1\), got {warmup}"):
            defenses.make(name, warmup=warmup)
    with pytest.raises(ConfigError, match=f"{kind}: margin must be above 0, got -1"):
        defenses.make(name, margin=-1)
    with pytest.raises(UnknownName, match=f"unknown radius 'cosin' in {kind}; did you mean 'cosine'"):
        defenses.make(name, radius="cosin")


# the losses


def test_trades_loss_is_the_papers(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:40], digits.labels[:40]
    lesson = lesson_of("trades", plain, Linf(0.2), beta=2.5)
    crafted = lesson.craft(plain, images, labels, moment_for(images))
    loss, logits = lesson.loss(plain, images, labels, crafted, moment_for(images))
    clean, worst = by_hand(plain(images)), by_hand(plain(crafted))
    natural = -clean[torch.arange(40), labels].log().mean()
    apart = (clean * (clean.log() - worst.log())).sum() / 40
    assert loss.item() == pytest.approx(float(natural + 2.5 * apart), rel=1e-4)
    assert torch.equal(logits, plain(crafted))
    start = images + (torch.rand(images.shape, generator=torch.Generator().manual_seed(1)) * 0.4 - 0.2)
    anywhere = by_hand(plain(start.clamp(0, 1)))
    assert apart > (clean * (clean.log() - anywhere.log())).sum() / 40  # it was climbed


def test_trades_climbs_without_labels(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:16], digits.labels[:16]
    lesson = lesson_of("trades", plain, L2(0.5))
    found = [lesson.craft(plain, images, one, moment_for(images)) for one in (labels, (labels + 1) % 10)]
    assert torch.equal(found[0], found[1])


def test_mart_loss_is_the_papers(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:40], digits.labels[:40]
    lesson = lesson_of("mart", plain, Linf(0.2), beta=3.0)
    crafted = lesson.craft(plain, images, labels, moment_for(images))
    loss, _ = lesson.loss(plain, images, labels, crafted, moment_for(images))
    total = 0.0
    for clean, worst, label in zip(
        by_hand(plain(images)), by_hand(plain(crafted)), labels.tolist(), strict=True
    ):
        rival = max(float(worst[k]) for k in range(10) if k != label)
        boosted = -torch.log(worst[label]) - torch.log(torch.tensor(1 - rival, dtype=torch.float64))
        apart = sum(clean[k] * torch.log(clean[k] / worst[k]) for k in range(10))
        total += float(boosted + 3.0 * apart * (1 - clean[label]))
    assert loss.item() == pytest.approx(total / 40, rel=1e-4)


def test_boosted_cross_entropy_has_a_slope_where_the_rival_is_sure() -> None:
    logits = torch.tensor([[0.0, 60.0, -3.0]], requires_grad=True)  # 1 - p(rival) is 0 in float32
    boosted = boosted_cross_entropy(logits, torch.tensor([0]))
    exact = 60.0 + 60.0 - torch.log(torch.tensor(1 + torch.e**-3)).item()
    assert boosted.item() == pytest.approx(exact, rel=1e-6)
    boosted.sum().backward()
    assert logits.grad is not None
    assert logits.grad[0, 1] == pytest.approx(2.0, abs=1e-4)


def test_mix_is_goodfellows_equation(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:40], digits.labels[:40]
    lesson = lesson_of("fgsm-mix", plain, Linf(0.2), alpha=0.3)
    crafted = lesson.craft(plain, images, labels, moment_for(images))
    x = images.clone().requires_grad_(True)
    F.cross_entropy(plain(x), labels).backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    wanted = (images + 0.2 * x.grad.sign()).clamp(0, 1)
    assert torch.allclose(crafted, wanted, atol=1e-6)
    loss, _ = lesson.loss(plain, images, labels, crafted, moment_for(images))
    parts = [-by_hand(plain(one))[torch.arange(40), labels].log().mean() for one in (images, wanted)]
    assert loss.item() == pytest.approx(float(0.3 * parts[0] + 0.7 * parts[1]), rel=1e-4)


# the points


@pytest.mark.parametrize("geometry", [Linf(0.1), L2(0.7), L1(2.0), L0(5.0)])
@pytest.mark.parametrize("name", FAMILY)
def test_points_stay_in_ball_and_bounds(
    name: str, geometry: Geometry, plain: Classifier, digits: Dataset
) -> None:
    images, labels = digits.images[:24], digits.labels[:24]
    earlier = torch.rand(images.shape, generator=torch.Generator().manual_seed(2)).requires_grad_(True)
    earlier.grad = torch.randn(images.shape, generator=torch.Generator().manual_seed(3))
    moment = moment_for(images, last_images=digits.images[24:48], last_crafted=earlier)
    crafted = lesson_of(name, plain, geometry).craft(plain, images, labels, moment).detach()
    assert float(geometry.distance(crafted - images).max()) <= geometry.eps * (1 + 1e-5)
    assert float(geometry.distance(crafted - images).mean()) > 0.3 * geometry.eps  # and go somewhere
    assert 0 <= float(crafted.min()) <= float(crafted.max()) <= 1
    assert all(one.requires_grad for one in plain.parameters())


def test_fast_step_is_wongs(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:32], digits.labels[:32]
    moment = moment_for(images)
    crafted = lesson_of("fgsm-rs", plain, Linf(0.1), guard=1).craft(plain, images, labels, moment)
    start = (images + Linf(0.1).uniform(images, moment.streams)).clamp(0, 1).requires_grad_(True)
    F.cross_entropy(plain(start), labels).backward()  # type: ignore[no-untyped-call]
    assert start.grad is not None
    delta = (start.detach() - images + 1.25 * 0.1 * start.grad.sign()).clamp(-0.1, 0.1)
    assert torch.allclose(crafted, (images + delta).clamp(0, 1), atol=1e-6)


# catastrophic overfitting


class Crease(nn.Module):
    """Class 0 wins by ``|x - 1/2| - edge``: a step of 1.25 radii jumps over the crease."""

    def __init__(self, edge: float) -> None:
        super().__init__()
        self.edge = nn.Parameter(torch.tensor(edge))

    def forward(self, x: Tensor) -> Tensor:
        ahead = (x.flatten(1) - 0.5).abs().mean(dim=1) - self.edge
        return torch.stack([ahead, torch.zeros_like(ahead)], dim=1)


def test_collapse_under_single_steps_is_noticed_and_met_with_more() -> None:
    # from 1/2 + u the step lands at least a quarter of a radius beyond the crease, never nearer
    eps, images, labels = 0.1, torch.full((64, 1, 1, 1), 0.5), torch.zeros(64, dtype=torch.int64)
    model = Classifier(Crease(0.02), input_shape=(1, 1, 1), labels=2).eval()
    lesson = lesson_of("fgsm-rs", model, Linf(eps), guard_images=48)
    blind = lesson_of("fgsm-rs", model, Linf(eps), guard=1)
    moment = moment_for(images)
    single = blind.craft(model, images, labels, moment)
    assert float((single - 0.5).abs().min()) >= 0.25 * eps - 1e-6
    assert bool((model(single).argmax(dim=1) == 0).all())
    crafted = lesson.craft(model, images, labels, moment)
    assert float((crafted - 0.5).abs().max()) <= 0.4 * eps + 1e-6  # PGD: five steps of 0.4 radii
    assert isinstance(lesson, FastLesson)
    missed = lesson.missed(model, images, labels, single, moment)
    slow = (crafted[:48] - 0.5).abs() <= 0.02
    assert missed == pytest.approx(float(slow.float().mean()), abs=1e-6)
    assert missed > 0.3
    tolerant = lesson_of("fgsm-rs", model, Linf(eps), guard_images=48, guard=missed + 0.01)
    assert torch.equal(tolerant.craft(model, images, labels, moment), single)


@pytest.mark.parametrize("part", [BitDepth(4), Quantise([0.0, 0.25, 0.5, 0.75, 1.0])])
@pytest.mark.parametrize("name", ["pgd", "fgsm-mix"])
def test_points_are_found_over_parts_that_hide_gradients(
    name: str, part: Part, plain: Classifier, digits: Dataset
) -> None:
    """Without a bridge rounding gives slopes of 0, bins none at all: nothing would be climbed."""
    model = wrap(plain, part)
    images, labels = digits.images[:64], digits.labels[:64]
    lesson = lesson_of(name, model, Linf(0.2))
    crafted = lesson.craft(model, images, labels, moment_for(images))
    with torch.no_grad():
        before, after = (F.cross_entropy(model(x), labels) for x in (images, crafted))
    assert after > 2 * before + 1
    held_out = lesson.score(model, digits.head(64), 0)
    assert held_out["held_out_robust"] < 0.3 < held_out["held_out_accuracy"]


@pytest.mark.parametrize("name", ["pgd", "fgsm-rs"])
def test_a_network_behind_random_sizes_can_be_scored(name: str, plain: Classifier, digits: Dataset) -> None:
    """Attacks refuse to trust one answer of such a model; training would stop after its first epoch."""
    torch.manual_seed(0)
    model = wrap(plain, ResizePad())
    scores = lesson_of(name, model, Linf(0.5)).score(model, digits.head(40), 0)
    assert scores["held_out_robust"] < 0.5 < scores["held_out_accuracy"]


def test_free_says_that_it_cannot_see(plain: Classifier) -> None:
    with pytest.raises(ConfigError, match="free: a part around the network hides the gradients"):
        lesson_of("free", wrap(plain, BitDepth(4)), Linf(0.2))


def test_guard_leaves_single_steps_alone_where_they_tell_the_truth(plain: Classifier, digits: Dataset) -> None:
    flat = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), input_shape=(1, 8, 8), labels=10).eval()
    images, labels = digits.images[:64], digits.labels[:64]
    found = [
        lesson_of("fgsm-rs", flat, Linf(0.1), guard=guard).craft(flat, images, labels, moment_for(images))
        for guard in (0.2, 1)
    ]
    assert torch.equal(found[0], found[1])


def test_history_shows_single_steps_beside_many(plain: Classifier, digits_train: Dataset) -> None:
    defense = FastAdversarialTraining(plan=TrainingPlan(epochs=1, batch_size=64), held_out=64)
    trained = defense.fit(plain, digits_train.head(256), Linf(0.2))
    (row,) = trained.evidence[-1].result["history"]
    held_out = digits_train.head(256).split(64)[1]
    assert row["held_out_fgsm"] >= row["held_out_robust"]
    measured = FGSM()(trained, held_out.images, held_out.labels, Linf(0.2)).robust_accuracy
    assert row["held_out_fgsm"] == pytest.approx(measured, abs=1e-6)


# free


def test_free_moves_the_last_perturbation_along_the_gradient_that_training_left(
    plain: Classifier, digits: Dataset
) -> None:
    lesson = lesson_of("free", plain, Linf(0.1), replays=3)
    assert lesson.replays == 3
    images, labels, eps = digits.images[:20], digits.labels[:20], 0.1
    first = lesson.craft(plain, images, labels, moment_for(images))
    assert torch.equal(first, images)  # the paper starts from no perturbation
    before, delta = images, torch.zeros_like(images)
    point = first
    for part in (slice(20), slice(20), slice(20, 40)):  # the last is the next batch
        loss, _ = lesson.loss(plain, before, labels, point, moment_for(images))
        (slope,) = torch.autograd.grad(loss, point)
        point.grad = slope
        here = digits.images[part]
        moment = moment_for(here, last_images=before, last_crafted=point)
        point = lesson.craft(plain, here, digits.labels[part], moment)
        delta = (here + (delta + eps * slope.sign()).clamp(-eps, eps)).clamp(0, 1) - here
        assert torch.allclose(point.detach() - here, delta, atol=1e-6)
        before, labels = here, digits.labels[part]


# whole trainings


_SLOWER = [pytest.param(one, marks=pytest.mark.slow) for one in ("trades", "mart", "free")]


@pytest.mark.parametrize("name", ["fgsm-rs", "fgsm-mix", *_SLOWER])
def test_each_hardens(name: str, plain: Classifier, digits_train: Dataset, digits: Dataset) -> None:
    settings: dict[str, Any] = {"beta": 1.0} if name == "trades" else {}
    if name in ("trades", "mart"):
        settings["steps"] = 3
    hardened = defenses.make(name, plan=SHORT, held_out=100, **settings).fit(plain, digits_train, Linf(0.1))
    images, labels = digits.images[:200], digits.labels[:200]
    before, after = (PGD(steps=20)(one, images, labels, Linf(0.1)).robust_accuracy for one in (plain, hardened))
    assert after > before + 0.15
    step = hardened.evidence[-1]
    assert step.parameters["method"] == name
    assert step.parameters["radius"] == "linear"
    assert step.parents == (plain.evidence[-1].digest,)


def test_perturbed_weights_compose_with_trades_and_repeat(plain: Classifier, digits_train: Dataset) -> None:
    def trained(gamma: float) -> str:
        plan = TrainingPlan(epochs=1, batch_size=64, weight_perturbation=gamma)
        return TRADES(plan=plan, held_out=0, steps=1).fit(plain, digits_train.head(256), Linf(0.1)).digest

    assert trained(0.0) != trained(0.01) == trained(0.01)


def test_guarded_training_resumes_to_the_same_weights(
    plain: Classifier, digits_train: Dataset, tmp_path: Any
) -> None:
    data = digits_train.head(200)
    defense = FastAdversarialTraining(
        plan=TrainingPlan(epochs=2, batch_size=50), held_out=0, guard=0.0, radius="constant"
    )
    whole = defense.fit(plain, data, Linf(0.2))

    class Stop(Exception):
        pass

    class Stopping:
        done = 0

        def begin(self, title: str, total: int) -> None: ...

        def advance(self, ticks: int = 1, note: str = "") -> None:
            self.done += ticks
            if self.done == 6:  # in the second epoch of four batches
                raise Stop

        def end(self) -> None: ...

    path = tmp_path / "run.safetensors"
    with pytest.raises(Stop):
        defense.fit(plain, data, Linf(0.2), checkpoint=path, progress=Stopping())
    assert path.exists()
    assert defense.fit(plain, data, Linf(0.2), checkpoint=path).digest == whole.digest


def test_advgan_samples_are_the_generators(plain: Classifier, digits_train: Dataset) -> None:
    data, threat = digits_train.head(160), ThreatModel.of(Linf(0.2))
    defense = AdvGANAugmentation(plan=TrainingPlan(epochs=1), generator_epochs=2, generator_images=96)
    grown = defense.prepare(plain, data, threat, 7)
    assert grown.name == f"{data.name}+advgan"
    assert torch.equal(grown.images[:160], data.images)
    assert torch.equal(grown.labels, torch.cat([data.labels, data.labels]))
    plan = hauberk.attacks.AdvGANPlan(epochs=2)
    attack = hauberk.attacks.train_advgan(plain, data.head(96), Linf(0.2), plan, seed=7)
    right = plain(data.images).argmax(dim=1) == data.labels
    made = attack.generator.candidates(threat, data.images, data.labels)
    assert torch.allclose(grown.images[160:][right], made[right], atol=1e-6)
    assert float((grown.images[160:] - data.images).abs().max()) <= 0.2 + 1e-6
    step = defense.fit(plain, data, Linf(0.2), seed=7).evidence[-1]
    assert step.inputs["dataset"]["samples"] == 320
    assert step.parameters["generator_images"] == 96


# misuse


@pytest.mark.parametrize(
    ("kind", "settings", "line"),
    [
        (TRADES, {"beta": 0}, "TRADES: beta must be above 0, got 0"),
        (TRADES, {"beta": "x"}, "TRADES: beta must be a number"),
        (TRADES, {"steps": 0}, "TRADES: steps must be a whole number of at least 1, got 0"),
        (MART, {"beta": -1}, "MART: beta cannot be negative, got -1"),
        (MART, {"reach": 0}, "MART: reach must be above 0, got 0"),
        (FastAdversarialTraining, {"guard": 1.2}, r"guard must lie in \[0, 1\], got 1.2"),
        (FastAdversarialTraining, {"guard_steps": 0}, "guard_steps must be a whole number"),
        (FastAdversarialTraining, {"guard_images": 2.5}, "guard_images must be a whole number"),
        (FastAdversarialTraining, {"reach": -1}, "reach must be above 0, got -1"),
        (FreeAdversarialTraining, {"replays": 1}, "replays must be at least 2, got 1"),
        (FreeAdversarialTraining, {"replays": True}, "replays must be a whole number"),
        (FGSMMixing, {"alpha": 1}, r"FGSMMixing: alpha must lie in \[0, 1\), got 1"),
        (AdvGANAugmentation, {"generator_epochs": 0}, "generator_epochs must be a whole number"),
    ],
)
def test_refusals(kind: Any, settings: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        kind(**settings)


def test_settings_shared_with_pgd_have_its_defaults() -> None:
    pgd = AdversarialTraining()
    for name in FAMILY:
        other = defenses.make(name)
        shared = {one.name for one in fields(other)} & {
            "warmup",
            "margin",
            "radius",
            "held_out",
            "plan",
            "steps",
        }
        assert {one: getattr(other, one) for one in shared} == {one: getattr(pgd, one) for one in shared}
