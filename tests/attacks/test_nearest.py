"""Attacks for the closest adversarial input, against closed forms, a peer library and laws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hauberk.attacks import (
    DDN,
    EAD,
    FAB,
    FMN,
    JSMA,
    PGD,
    Attack,
    AttackResult,
    CarliniWagner,
    CarliniWagnerLinf,
    DeepFool,
    Margin,
    make,
)
from hauberk.attacks.nearest import NearestAttack
from hauberk.attacks.nearest.norms import CONVEX
from hauberk.attacks.oracle import Oracle
from hauberk.core.errors import ConfigError
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.threats import L0, L1, L2, Geometry, Linf, ThreatModel

WIDE: dict[str, Geometry] = {"linf": Linf(1.0), "l2": L2(8.0), "l1": L1(64.0), "l0": L0(64)}
QUICK: list[NearestAttack] = [
    CarliniWagner(steps=25, rounds=3),
    CarliniWagnerLinf(steps=25, rounds=3),
    DeepFool(steps=15, rivals=3),
    FMN(steps=25),
    DDN(steps=25),
    EAD(steps=20, rounds=3),
    JSMA(steps=15),
    FAB(steps=10, rivals=3),
]


def wide(attack: Attack) -> Geometry:
    """A ball that holds everything, in a norm of the attack's."""
    return next(one for name, one in WIDE.items() if name in attack.norms)


def far(result: AttackResult) -> Tensor:
    """Distances, infinite where nothing was found."""
    return torch.where(result.success, result.distances, torch.inf)


# closed forms: the distance to a plane is the margin divided by the dual norm of its normal


@pytest.fixture(scope="module")
def plane() -> tuple[Classifier, Tensor, Tensor, Tensor]:
    """A linear model of two classes, points well inside its box, their labels, and the normal."""
    generator = torch.Generator().manual_seed(5)
    normal = torch.randn(30, generator=generator)
    layer = nn.Linear(30, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.stack([normal / 2, -normal / 2]))
        layer.bias.zero_()
    model = Classifier(layer, input_shape=(30,), labels=2, bounds=(-1.5, 1.5)).eval()
    points = torch.rand((12, 30), generator=generator) - 0.5
    points = points[
        (points @ normal).abs() < normal.abs().max()
    ]  # the box is no closer than the plane, in L1 too
    with torch.no_grad():
        labels = model(points).argmax(1)
    return model, points, labels, normal


@pytest.mark.parametrize(
    ("attack", "geometry", "tolerance"),
    [
        (DeepFool(), L2(16.0), 1e-3),
        (DeepFool(), Linf(3.0), 1e-3),
        (FMN(), L2(16.0), 1e-3),
        (FMN(), Linf(3.0), 1e-3),
        (FMN(), L1(90.0), 1e-3),
        (DDN(), L2(16.0), 1e-3),
        (FAB(), L2(16.0), 1e-3),
        (FAB(), Linf(3.0), 1e-3),
        (FAB(), L1(90.0), 1e-3),
        (CarliniWagner(steps=100, rounds=6), L2(16.0), 0.02),
        (CarliniWagnerLinf(steps=60, rounds=6), Linf(3.0), 0.3),
        (EAD(steps=100, rounds=6), L1(90.0), 0.15),
    ],
    ids=lambda one: getattr(one, "norm", getattr(one, "name", None)),
)
def test_linear_models_distance_is_found(
    attack: NearestAttack, geometry: Geometry, tolerance: float, plane: Any
) -> None:
    model, points, labels, normal = plane
    order = {"linf": 1, "l2": 2, "l1": torch.inf}[geometry.norm]
    exact = (points @ normal).abs() / torch.linalg.vector_norm(normal, ord=order)
    result = attack(model, points, labels, geometry)
    assert bool(result.success.all())
    assert float((result.distances / exact).min()) >= 1 - 1e-4  # nothing is closer than the closest
    assert float((result.distances / exact).max()) <= 1 + tolerance


def test_jsma_takes_the_fewest_positions_of_a_linear_model(plane: Any) -> None:
    model, points, labels, normal = plane
    toward = torch.where(labels[:, None] == 0, -normal, normal)
    gains = (toward * (torch.where(toward > 0, 1.5, -1.5) - points)).sort(dim=1, descending=True).values
    fewest = 1 + (gains.cumsum(dim=1) < (points @ normal).abs()[:, None]).sum(dim=1)
    result = JSMA()(model, points, labels, L0(30))
    assert bool(result.success.all())
    assert torch.equal(result.distances, fewest.float())


def solved(norm: str, x: np.ndarray, normal: np.ndarray, gap: float) -> float:
    """The distance from ``x`` to the plane inside the unit box, by a general solver."""
    optimize = pytest.importorskip("scipy.optimize")
    size = len(x)
    if norm == "l2":
        plane = {"type": "eq", "fun": lambda z: normal @ (z - x) - gap}
        best = optimize.minimize(
            lambda z: ((z - x) ** 2).sum(),
            x,
            bounds=[(0, 1)] * size,
            constraints=plane,
            options={"ftol": 1e-14},
        )
        return float(best.fun**0.5)
    # variables: the point, and a limit for each change (l1) or one for all (linf), whose sum is least
    limits = np.eye(size) if norm == "l1" else np.ones((size, 1))
    count = limits.shape[1]
    best = optimize.linprog(
        np.r_[np.zeros(size), np.ones(count)],
        A_ub=np.vstack([np.hstack([np.eye(size), -limits]), np.hstack([-np.eye(size), -limits])]),
        b_ub=np.r_[x, -x],
        A_eq=np.r_[normal, np.zeros(count)][None],
        b_eq=[gap + normal @ x],
        bounds=[(0, 1)] * size + [(0, None)] * count,
    )
    return float(best.fun)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_projection_onto_a_plane_in_the_box_is_the_closest_point(norm: str) -> None:
    rng = np.random.default_rng(3)
    low, high = torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
    for trial in range(6):
        x, normal = rng.uniform(0, 1, 5), rng.normal(size=5)
        ahead = np.where(normal > 0, normal * (1 - x), -normal * x).sum()
        behind = np.where(normal > 0, normal * x, -normal * (1 - x)).sum()
        gap = (0.2 + 0.12 * trial) * (ahead if trial % 2 else -behind)
        onto = CONVEX[norm].onto(
            torch.tensor(x)[None],
            torch.tensor(normal)[None],
            torch.tensor([gap], dtype=torch.float64),
            low,
            high,
        )
        found = onto[0].numpy()
        assert normal @ (found - x) == pytest.approx(gap, abs=1e-9)
        assert 0 <= found.min() <= found.max() <= 1
        order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
        assert np.linalg.norm(found - x, ord=order) == pytest.approx(solved(norm, x, normal, gap), rel=1e-5)


def test_a_plane_out_of_reach_moves_everything() -> None:
    x, normal = torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, -1.0]])
    for norm in CONVEX.values():
        found = norm.onto(x, normal, torch.tensor([9.0]), torch.tensor(0.0), torch.tensor(1.0))
        assert found.tolist() == [[1.0, 0.0]]


def test_slopes_of_sums_of_logits(plane: Any) -> None:
    model, points, _, normal = plane
    mixtures = torch.tensor([[[1.0, -1.0], [0.0, 2.0]]]).expand(len(points), -1, -1)
    labels = torch.zeros(len(points), dtype=torch.int64)
    logits, slopes = Oracle(model, Margin()).slopes(points, mixtures, labels)
    assert torch.equal(logits, model(points).detach())
    assert torch.allclose(slopes, torch.stack([normal, -normal])[None].expand_as(slopes), atol=1e-6)


# a peer on the same images, at equal steps


def peer_distances(
    name: str, settings: dict[str, Any], model: Classifier, images: Tensor, labels: Tensor, geometry: Geometry
) -> Tensor:
    foolbox = pytest.importorskip("foolbox")
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    attack = getattr(foolbox.attacks, name)(**settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _, points, _ = attack(wrapped, images, labels, epsilons=None)
    with torch.no_grad():
        fooled = model(points).argmax(1) != labels
    return torch.where(fooled, geometry.distance(points - images), torch.inf)


@pytest.mark.parametrize(
    ("attack", "norm", "peer", "settings"),
    [
        (FMN(steps=40), "linf", "LInfFMNAttack", {"steps": 40}),
        (FMN(steps=40), "l2", "L2FMNAttack", {"steps": 40}),
        (FMN(steps=40), "l1", "L1FMNAttack", {"steps": 40}),
        (FMN(steps=40), "l0", "L0FMNAttack", {"steps": 40}),
        (DDN(steps=40), "l2", "DDNAttack", {"steps": 40}),
        (DeepFool(), "l2", "L2DeepFoolAttack", {}),
        (DeepFool(), "linf", "LinfDeepFoolAttack", {}),
        (
            CarliniWagner(steps=50, rounds=3),
            "l2",
            "L2CarliniWagnerAttack",
            {"steps": 50, "binary_search_steps": 3, "initial_const": 0.1, "stepsize": 0.05},
        ),
        (
            EAD(steps=50, rounds=3),
            "l1",
            "EADAttack",
            {"steps": 50, "binary_search_steps": 3, "initial_const": 0.1, "decision_rule": "L1"},
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_no_farther_than_foolbox(
    attack: NearestAttack, norm: str, peer: str, settings: Any, hardened: Classifier, digits: Dataset
) -> None:
    with torch.no_grad():
        right = (hardened(digits.images[:70]).argmax(1) == digits.labels[:70]).nonzero().squeeze(1)
    images, labels, geometry = digits.images[right], digits.labels[right], WIDE[norm]
    ours = far(attack(hardened, images, labels, geometry))
    theirs = peer_distances(peer, settings, hardened, images, labels, geometry)
    assert float(torch.isfinite(ours).float().mean()) >= float(torch.isfinite(theirs).float().mean())
    middle = torch.mean if norm == "l0" else torch.median  # whole numbers have a coarse median
    assert float(middle(ours)) <= 1.03 * float(middle(theirs))


def test_fab_is_no_farther_than_pgd_reaches(hardened: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:60], digits.labels[:60]
    eps = 0.15
    nearest = FAB(steps=30)(hardened, images, labels, Linf(1.0))
    climbed = PGD(steps=40, objective="margin")(hardened, images, labels, Linf(eps))
    within = (far(nearest) <= eps) | nearest.misclassified
    assert int(within.sum()) >= int((climbed.success | climbed.misclassified).sum()) - 1


# laws


@pytest.mark.parametrize("attack", QUICK, ids=lambda one: one.name)
def test_settling_saves_questions_and_loses_nothing(
    attack: NearestAttack, plain: Classifier, digits: Dataset
) -> None:
    images, labels = digits.images[:30], digits.labels[:30]
    geometry = {"linf": Linf(0.2), "l2": L2(1.0), "l1": L1(4.0), "l0": L0(5)}[wide(attack).norm]
    full = attack(plain, images, labels, geometry)
    settled = replace(attack, settle=True)(plain, images, labels, geometry)
    assert int(full.success.sum()) > 10
    # refinements see the found ones only: they may still bring a point inside, and settled ones need none
    assert int((full.success & ~settled.success).sum()) <= 1
    assert float(settled.queries.float().mean()) < float(full.queries.float().mean())


@pytest.mark.parametrize("attack", [FMN(steps=30), DDN(steps=30), DeepFool(rivals=3)], ids=lambda one: one.name)
def test_the_ball_only_says_what_counts(attack: NearestAttack, plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:40], digits.labels[:40]
    distances = far(attack(plain, images, labels, L2(8.0)))
    for eps in (0.3, 0.6):
        assert torch.equal(attack(plain, images, labels, L2(eps)).success, distances <= eps)


@pytest.mark.parametrize("attack", QUICK, ids=lambda one: one.name)
def test_refinements_never_lead_away(attack: NearestAttack, plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:20], digits.labels[:20]
    rough = replace(attack, refinements=0)(plain, images, labels, wide(attack))
    fine = replace(attack, refinements=4)(plain, images, labels, wide(attack))
    assert torch.equal(rough.success, fine.success)
    assert bool((fine.distances <= rough.distances)[rough.success].all())
    assert bool((fine.queries - rough.queries <= 5).all())
    # points close to the boundary are still adversarial for the original model, ahead of rounding
    assert bool((fine.margins[fine.success] > 0).all())
    if attack.name in ("deepfool", "fmn", "ddn", "fab"):  # which find something everywhere, and lose none
        assert bool((fine.success | fine.misclassified).all())


@pytest.mark.parametrize("attack", QUICK, ids=lambda one: one.name)
def test_query_budgets_are_obeyed_exactly(attack: NearestAttack, hardened: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:12], digits.labels[:12]
    for budget in (1, 2, 5):
        threat = ThreatModel(wide(attack), queries=budget)
        for starts in (None, digits.images[12:24]):
            result = attack(hardened, images, labels, threat, starts=starts)
            assert int(result.queries.max()) <= budget
            if attack.name not in ("deepfool", "jsma") or budget < 3:
                assert int(result.queries.max()) == budget


def test_questions_are_counted(plain: Classifier, digits: Dataset) -> None:
    class Counting(nn.Module):
        asked = 0

        def forward(self, x: Tensor) -> Tensor:
            Counting.asked += len(x)
            logits: Tensor = plain.module(x)
            return logits

        def __deepcopy__(self, memo: object) -> Counting:
            return self

    model = Classifier(Counting(), input_shape=(1, 8, 8), labels=10).eval()
    images, labels = digits.images[:20], digits.labels[:20]
    for attack in QUICK:
        Counting.asked = 0
        result = attack(model, images, labels, wide(attack))
        # besides: two probes of eight images, and the final test of all candidates
        assert Counting.asked - 2 * 8 - len(images) == int(result.queries.sum()), attack.name
    fmn = FMN(steps=20, refinements=3)(plain, images, labels, L2(8.0))
    right = ~fmn.misclassified
    assert set(fmn.queries[right].tolist()) == {1 + 20 + 1 + 3}
    assert set(fmn.gradients[right].tolist()) == {20}


def test_given_points_are_improved_on(hardened: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:40], digits.labels[:40]
    given = PGD(steps=20)(hardened, images, labels, L2(2.5))
    assert int(given.success.sum()) > 20
    for attack in (FMN(steps=10), FAB(steps=3, rivals=2), CarliniWagner(steps=2, rounds=1)):
        taken = attack(hardened, images, labels, L2(8.0), starts=given.candidates)
        assert bool(taken.success[given.success].all())
        assert float((taken.distances / given.distances)[given.success].max()) <= 1.0
        assert float((taken.distances / given.distances)[given.success].median()) < 0.9


@pytest.mark.parametrize("attack", [one for one in QUICK if one.targetable], ids=lambda one: one.name)
def test_a_wanted_class_is_never_closer_than_any(attack: Attack, plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:20], digits.labels[:20]
    attack = make(attack.name, steps=40)
    anywhere = attack(plain, images, labels, wide(attack))
    threat = ThreatModel(wide(attack), targeted=True)
    there = attack(plain, images, labels, threat, targets=(labels + 3) % 10)
    assert float(there.success.float().mean()) > 0.5
    assert float(far(there).median()) >= float(far(anywhere).median())


class Byte(nn.Module):
    """The same network for inputs in [0, 255]."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x / 255)
        return logits


@pytest.mark.parametrize("attack", QUICK, ids=lambda one: one.name)
def test_the_scale_of_the_inputs_does_not_matter(
    attack: NearestAttack, plain: Classifier, digits: Dataset
) -> None:
    images, labels = digits.images[:15], digits.labels[:15]
    geometry = wide(attack)
    factor = 1.0 if geometry.norm == "l0" else 255.0
    bytes_ = Classifier(Byte(plain.module), input_shape=(1, 8, 8), labels=10, bounds=(0.0, 255.0)).eval()
    small = far(attack(plain, images, labels, geometry))
    large = far(attack(bytes_, images * 255, labels, geometry.with_eps(geometry.eps * factor)))
    assert float(large.median()) / factor == pytest.approx(float(small.median()), rel=0.02)


class Faint(nn.Module):
    """Logits times a power of two, which changes no decision and no direction."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x) * 2.0**-70
        return logits


@pytest.mark.parametrize("attack", [FMN(steps=10), FAB(steps=5, rivals=2), DeepFool(rivals=2)], ids=repr)
def test_the_scale_of_the_logits_does_not_matter(
    attack: NearestAttack, plain: Classifier, digits: Dataset
) -> None:
    faint = Classifier(Faint(plain.module), input_shape=(1, 8, 8), labels=10).eval()
    for norm in attack.norms - {"l0"}:
        one, other = (
            attack(model, digits.images[:15], digits.labels[:15], WIDE[norm]) for model in (plain, faint)
        )
        assert torch.allclose(far(one), far(other), rtol=1e-4)


def test_bounds_of_each_channel() -> None:
    generator = torch.Generator().manual_seed(1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    with torch.no_grad():
        for one in network.parameters():
            one.copy_(torch.randn(one.shape, generator=generator))
    lower, upper = torch.tensor([0.0, -1.0, 2.0]), torch.tensor([1.0, 2.0, 3.0])
    model = Classifier(
        network, input_shape=(3, 2, 2), labels=3, bounds=(tuple(lower.tolist()), tuple(upper.tolist()))
    ).eval()
    low, high = lower.view(3, 1, 1), upper.view(3, 1, 1)
    images = low + torch.rand((10, 3, 2, 2), generator=generator) * (high - low)
    with torch.no_grad():
        labels = model(images).argmax(1)
    balls = {"linf": Linf(3.0), "l2": L2(6.0), "l1": L1(20.0), "l0": L0(4)}
    for name in [one.name for one in QUICK]:
        attack = make(name, steps=40)
        result = attack(model, images, labels, balls[wide(attack).norm])
        assert bool(((result.candidates >= low) & (result.candidates <= high)).all()), name
        assert float(result.success.float().mean()) >= 0.5, name


class Rounded(nn.Module):
    """Rounds its input: every gradient is zero."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner((x * 4).round() / 4)
        return logits


@pytest.mark.parametrize("attack", QUICK, ids=lambda one: one.name)
def test_without_a_slope_nothing_is_claimed(attack: NearestAttack, plain: Classifier, digits: Dataset) -> None:
    rounded = Classifier(Rounded(plain.module), input_shape=(1, 8, 8), labels=10).eval()
    images, labels = digits.images[:20], digits.labels[:20]
    blind = attack(rounded, images, labels, wide(attack))
    assert bool(torch.isfinite(blind.candidates).all())
    assert bool(blind.zero_gradient[~blind.misclassified].all())
    seeing = attack(rounded, images, labels, wide(attack), gradients_from=plain)
    assert int(seeing.success.sum()) > max(8, int(blind.success.sum()))


def test_norms_that_an_attack_was_not_made_for(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:4], digits.labels[:4]
    with pytest.raises(ConfigError, match="cw works in l2; the threat model is linf"):
        CarliniWagner()(plain, images, labels, Linf(0.1))
    with pytest.raises(ConfigError, match="jsma works in l0"):
        JSMA()(plain, images, labels, L2(0.5))
    with pytest.raises(ConfigError, match="deepfool has no targeted form"):
        DeepFool()(plain, images, labels, ThreatModel(L2(1.0), targeted=True), targets=(labels + 1) % 10)
