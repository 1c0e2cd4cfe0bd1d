"""Attacks that only ask: what they may not do (ask once too often) and what they must find."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from hauberk.attacks import (
    NES,
    PGD,
    SPSA,
    Attack,
    Boundary,
    HopSkipJump,
    Margin,
    RayS,
    SimBA,
    Square,
    SurFree,
)
from hauberk.attacks.query.canvas import Canvas, cosines
from hauberk.attacks.query.query_attack import QueryAttack
from hauberk.attacks.query.rays import blocks
from hauberk.attacks.query.square import halves, window_share
from hauberk.core.errors import ConfigError
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.threats import L2, Bounds, Geometry, Knowledge, Linf, Streams, ThreatModel

SCORES: list[QueryAttack] = [Square(), NES(), SPSA(), SimBA(), SimBA(basis="frequencies")]
LABELS: list[QueryAttack] = [Boundary(), HopSkipJump(), RayS(), SurFree()]
EVERY = [
    pytest.param(attack, geometry, id=f"{attack.name}-{geometry.norm}")
    for attack in SCORES + LABELS
    for geometry in (Linf(0.1), L2(0.6))
    if geometry.norm in attack.norms
]


class Counter(nn.Module):
    """Counts the rows it is asked about and looks at each; a copy counts on the same sheet."""

    def __init__(self, inner: nn.Module, look: Callable[[Tensor], None] = lambda x: None) -> None:
        super().__init__()
        self.inner, self.look = inner, look
        self.sheet = [0]

    @property
    def asked(self) -> int:
        return self.sheet[0]

    def __deepcopy__(self, memo: dict[int, object]) -> Counter:
        copied = Counter(copy.deepcopy(self.inner, memo), self.look)
        copied.sheet = self.sheet
        return copied.train(self.training)

    def forward(self, x: Tensor) -> Tensor:
        self.sheet[0] += len(x)
        self.look(x)
        logits: Tensor = self.inner(x)
        return logits


def overhead(count: int) -> int:
    """Rows asked outside the attack: two looks of the probe at a few images, and the final test of all."""
    return 2 * min(count, 8) + count


def right(model: Classifier, digits: Dataset, count: int) -> tuple[Tensor, Tensor]:
    """Images that the model gets right."""
    with torch.no_grad():
        sure = (model(digits.images).argmax(1) == digits.labels).nonzero()[:count, 0]
    return digits.images[sure], digits.labels[sure]


@pytest.mark.parametrize(("attack", "geometry"), EVERY)
@pytest.mark.parametrize("budget", [1, 2, 3, 30])
def test_budgets_are_obeyed_exactly(
    attack: QueryAttack, geometry: Geometry, budget: int, plain: Classifier, digits: Dataset
) -> None:
    sheet = Counter(plain)
    model = Classifier(sheet, input_shape=(1, 8, 8), labels=10).eval()
    images, labels = right(plain, digits, 6)
    for ask, threat in (
        (attack, ThreatModel(geometry, queries=budget)),
        (replace(attack, queries=budget), ThreatModel(geometry)),
    ):
        sheet.sheet[0] = 0
        together = ask(model, images, labels, threat)
        assert sheet.asked == int(together.queries.sum()) + overhead(6)
        assert int(together.queries.max()) <= budget
        assert int(together.queries.min()) >= 1
    # each sample by itself: the sum above hides nothing
    for one in range(2):
        sheet.sheet[0] = 0
        alone = attack(model, images[one:][:1], labels[one:][:1], ThreatModel(geometry, queries=budget))
        assert sheet.asked == int(alone.queries) + overhead(1)


@pytest.mark.parametrize("attack", [Square(), SimBA(), RayS(), Boundary(), SurFree()], ids=lambda one: one.name)
def test_who_stands_spends_the_whole_budget(attack: Attack, plain: Classifier, digits: Dataset) -> None:
    images, labels = right(plain, digits, 5)
    geometry = (Linf if "linf" in attack.norms else L2)(1e-4)  # nothing falls
    result = attack(plain, images, labels, ThreatModel(geometry, queries=90))
    assert result.queries.tolist() == [90] * 5


@pytest.mark.parametrize("attack", SCORES, ids=repr)
def test_a_fooled_sample_is_left_alone(attack: Attack, plain: Classifier, digits: Dataset) -> None:
    """Once a point of the ball has been misclassified, no further question is asked."""
    images, labels = right(plain, digits, 1)
    wins: list[bool] = []

    def look(x: Tensor) -> None:
        with torch.no_grad():
            wins.extend((plain(x).argmax(1) != labels[0]).tolist())

    model = Classifier(Counter(plain, look), input_shape=(1, 8, 8), labels=10).eval()
    result = attack(model, images, labels, Linf(0.4))
    assert bool(result.success[0])
    asked = wins[2 : 2 + int(result.queries)]  # after the probe, before the final test
    if not isinstance(attack, NES | SPSA):  # their probes leave the ball
        assert asked.index(True) == len(asked) - 1


@pytest.mark.parametrize(("attack", "geometry"), EVERY)
def test_never_asks_beyond_the_bounds(attack: QueryAttack, geometry: Geometry) -> None:
    """Bounds of its own for each channel; a model may refuse what no camera delivers."""
    lower, upper = torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([1.0, 0.5, 5.0])
    seen: list[tuple[Tensor, Tensor]] = []
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 5, 4))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        net[1].weight.copy_(torch.randn(net[1].weight.shape, generator=generator))
        centre = ((lower + upper) / 2).view(3, 1, 1).expand(3, 6, 5).flatten()
        net[1].bias.copy_(-net[1].weight @ centre)  # so that all classes occur
    sheet = Counter(net, lambda x: seen.append((x.amin(dim=(0, 2, 3)), x.amax(dim=(0, 2, 3)))))
    bounds = Bounds(tuple(lower.tolist()), tuple(upper.tolist()))
    model = Classifier(sheet, input_shape=(3, 6, 5), labels=4, bounds=bounds).eval()
    span = (upper - lower).view(3, 1, 1)
    images = lower.view(3, 1, 1) + span * torch.rand(8, 3, 6, 5, generator=generator).round(decimals=1)
    labels = model(images).argmax(1)
    geometry = geometry.with_eps(5 * geometry.eps)
    result = replace(attack, queries=150)(model, images, labels, geometry)
    for low, high in seen:
        assert bool((low >= lower).all())
        assert bool((high <= upper).all())
    assert int(result.success.sum()) >= 1
    assert bool((result.distances <= geometry.eps * (1 + 1e-5)).all())


@pytest.mark.parametrize(("attack", "geometry"), EVERY)
def test_a_sample_does_not_feel_its_neighbours(
    attack: QueryAttack, geometry: Geometry, plain: Classifier, digits: Dataset
) -> None:
    """In double precision, where kernels' rounding does not send walks astray, points agree to the digit."""
    model = copy.deepcopy(plain).double()
    images, labels = right(plain, digits, 8)
    images = images.double()
    attack = replace(attack, queries=80)
    whole = attack(model, images, labels, geometry, seed=2)
    parts = attack(
        model, images.flip(0), labels.flip(0), geometry, seed=2, indices=torch.arange(7, -1, -1), batch_size=3
    )
    assert torch.equal(whole.success, parts.success.flip(0))
    assert torch.equal(whole.queries, parts.queries.flip(0))
    assert torch.allclose(whole.candidates, parts.candidates.flip(0), atol=1e-6)
    other = attack(model, images, labels, geometry, seed=3)
    assert attack.name == "rays" or not torch.equal(whole.candidates, other.candidates)  # RayS draws nothing


class Steps(nn.Module):
    """Rounds its input and forgets its gradient."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner((x.detach() * 16).round() / 16)
        return logits


@pytest.mark.parametrize(("attack", "geometry"), EVERY)
def test_models_without_gradients_fall(
    attack: QueryAttack, geometry: Geometry, plain: Classifier, digits: Dataset
) -> None:
    model = Classifier(Steps(plain.module), input_shape=(1, 8, 8), labels=10).eval()
    images, labels = right(model, digits, 20)
    if isinstance(attack, NES | SPSA):
        attack = replace(attack, reach=0.1)  # farther than a plateau is wide
    result = replace(attack, queries=400)(model, images, labels, geometry.with_eps(3 * geometry.eps))
    assert float(result.success.float().mean()) > (0.5 if attack.needs is Knowledge.SCORES else 0.3)


@pytest.mark.parametrize("attack", SCORES, ids=repr)
@pytest.mark.parametrize("geometry", [Linf(0.25), L2(1.6)], ids=lambda one: one.norm)
def test_scores_lead_to_a_target(
    attack: QueryAttack, geometry: Geometry, plain: Classifier, digits: Dataset
) -> None:
    images, labels = right(plain, digits, 20)
    with torch.no_grad():
        targets = plain(images).topk(2, dim=1).indices[:, 1]
    threat = ThreatModel(geometry, targeted=True, knowledge=Knowledge.SCORES)
    result = replace(attack, queries=600)(plain, images, labels, threat, targets=targets)
    with torch.no_grad():
        reached = plain(result.candidates).argmax(1) == targets
    assert torch.equal(reached, result.success)
    assert float(reached.float().mean()) > 0.5


@pytest.mark.parametrize("attack", [Boundary(), HopSkipJump(), SurFree()], ids=lambda one: one.name)
def test_labels_lead_to_a_target_from_a_sample_of_it(
    attack: Attack, plain: Classifier, digits: Dataset
) -> None:
    images, labels = right(plain, digits, 12)
    targets = (labels + 1) % 10
    everything, known = right(plain, digits, len(digits.images))
    starts = torch.stack([everything[known == wanted][0] for wanted in targets])
    threat = ThreatModel(L2(1.5), targeted=True, knowledge=Knowledge.LABELS, queries=600)
    result = attack(plain, images, labels, threat, targets=targets, starts=starts)
    with torch.no_grad():
        assert torch.equal(plain(result.candidates).argmax(1) == targets, result.success)
    assert float(result.success.float().mean()) > 0.3
    blind = replace(attack, tries=1)(plain, images, labels, threat, targets=targets)  # type: ignore[call-arg]
    assert int(blind.success.sum()) < int(result.success.sum())


def test_no_targets_for_rays(plain: Classifier, digits: Dataset) -> None:
    with pytest.raises(ConfigError, match="rays has no targeted form"):
        RayS()(
            plain,
            digits.images[:2],
            digits.labels[:2],
            ThreatModel(Linf(0.1), targeted=True),
            targets=(digits.labels[:2] + 1) % 10,
        )


@pytest.mark.parametrize(("attack", "geometry"), [(Square(), L2(1)), (RayS(), L2(1)), (Boundary(), Linf(0.1))])
def test_knowledge_and_norm_are_checked(
    attack: Attack, geometry: Geometry, plain: Classifier, digits: Dataset
) -> None:
    images, labels = digits.images[:2], digits.labels[:2]
    if geometry.norm not in attack.norms:
        with pytest.raises(ConfigError, match=f"{attack.name} works in"):
            attack(plain, images, labels, geometry)
    else:
        with pytest.raises(ConfigError, match="needs scores knowledge"):
            attack(plain, images, labels, ThreatModel(geometry, knowledge=Knowledge.LABELS))


@pytest.mark.parametrize("attack", LABELS, ids=lambda one: one.name)
def test_settling_saves_questions_and_going_on_comes_closer(
    attack: QueryAttack, plain: Classifier, digits: Dataset
) -> None:
    images, labels = right(plain, digits, 20)
    geometry: Geometry = Linf(0.2) if attack.name == "rays" else L2(1.3)
    settled = replace(attack, queries=300)(plain, images, labels, geometry)
    further = replace(attack, queries=300, settle=False)(plain, images, labels, geometry)  # type: ignore[call-arg]
    both = settled.success & further.success
    assert float(both.float().mean()) > 0.5
    assert float(settled.queries[both].float().mean()) < float(further.queries[both].float().mean())
    assert float(further.distances[both].median()) < float(settled.distances[both].median())


@pytest.mark.parametrize("attack", [Square(), *LABELS], ids=lambda one: one.name)
def test_carried_over_points_save_questions(attack: QueryAttack, plain: Classifier, digits: Dataset) -> None:
    images, labels = right(plain, digits, 30)
    geometry: Geometry = Linf(0.15) if "linf" in attack.norms else L2(0.9)
    found = PGD(steps=40)(plain, images, labels, geometry)
    fell = found.success
    again = attack(plain, images[fell], labels[fell], geometry, starts=found.candidates[fell])
    assert bool(again.success.all())
    assert int(again.queries.max()) == 2  # the image, and the point


def linear(weights: Tensor) -> Classifier:
    """Two classes; class 0 wins where w.x > 0."""
    layer = nn.Linear(weights.numel(), 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.stack([weights / 2, -weights / 2]))
    return Classifier(layer, input_shape=(weights.numel(),), labels=2, bounds=(-10.0, 10.0)).eval()


@pytest.mark.parametrize("attack", SCORES + LABELS, ids=repr)
@pytest.mark.parametrize(("factor", "falls"), [(0.97, False), (1.3, True)])
def test_linear_models_fall_at_their_margin(attack: QueryAttack, factor: float, falls: bool) -> None:
    """Vectors, too; the nearest point of a plane is known."""
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0])
    x = torch.tensor([[0.4, -0.3, 0.2, 0.1]])
    score = float((x @ weights)[0])
    for geometry, dual in ((Linf, weights.abs().sum()), (L2, weights.norm())):
        if geometry.norm in attack.norms:
            result = replace(attack, queries=300)(
                linear(weights), x, torch.tensor([0]), geometry(factor * score / float(dual))
            )
            assert bool(result.success[0]) is falls


def test_windows_shrink_as_in_the_paper() -> None:
    asked = [0, 10, 11, 50, 51, 200, 500, 1000, 2000, 4000, 6000, 8000, 8001, 9999]
    assert [round(0.8 / window_share(0.8, one, 10_000)) for one in asked] == [
        1, 1, 2, 2, 4, 4, 8, 16, 32, 64, 128, 256, 512, 512,
    ]  # fmt: skip
    assert window_share(0.8, 100, 1000) == window_share(0.8, 1000, 10_000)


def test_windows_reach_every_pixel_and_nothing_else() -> None:
    canvas = Canvas(3, 7, 5)
    streams = Streams.for_samples(0, torch.arange(400), "windows")
    window = canvas.windows(streams, 3, 2)
    assert window.shape == (400, 1, 6)
    assert sorted(window.unique().tolist()) == list(range(35))
    down, across = window // 5, window % 5
    assert bool(((down.amax(2) - down.amin(2)) == 2).all())
    assert bool(((across.amax(2) - across.amin(2)) == 1).all())
    assert Canvas(1, 1, 40).size(9.0) == (1, 9)
    assert canvas.size(4.0, least=3, odd=True) == (3, 3)


def test_the_hill_is_the_papers() -> None:
    """Eta, added up layer by layer as the paper draws it."""
    height, width = 3, 5
    slow = torch.zeros(height, width)
    for k in range(1, 4):
        for i in range(height):
            for j in range(width):
                if abs(i - 1) < k and abs(j - 2) < k:
                    slow[i, j] += 1 / k**2
    pattern = halves(6, 5)
    assert torch.allclose(pattern[:3] / pattern[:3].norm(), slow / slow.norm(), atol=1e-6)
    assert torch.allclose(pattern[3:], -pattern[:3])
    assert float(pattern.norm()) == pytest.approx(1)


def test_cosines_are_orthonormal() -> None:
    for size in (1, 2, 7, 8):
        waves = cosines(size)
        assert torch.allclose(waves @ waves.T, torch.eye(size), atol=1e-6)


def test_blocks_cover_the_image_level_by_level() -> None:
    assert blocks(5) == [(0, 5), (0, 3), (3, 5), (0, 2), (2, 4), (4, 5), *((i, i + 1) for i in range(5))]


def test_square_holds_its_own_against_gradients(hardened: Classifier, digits: Dataset) -> None:
    """On an honest model gradients are better, but not by far."""
    images, labels = right(hardened, digits, 60)
    ours = Square(queries=600)(hardened, images, labels, Linf(0.15), seed=1)
    white = PGD(steps=40, objective=Margin())(hardened, images, labels, Linf(0.15))
    assert int(ours.success.sum()) >= 0.75 * int(white.success.sum())


def test_closer_than_foolbox_with_as_many_questions(plain: Classifier, digits: Dataset) -> None:
    """HopSkipJump and the boundary attack: their median distance after what theirs asked."""
    foolbox = pytest.importorskip("foolbox")
    images, labels = right(plain, digits, 20)
    peers = [
        (foolbox.attacks.HopSkipJumpAttack(steps=2, constraint="l2"), HopSkipJump, L2(8.0)),
        (foolbox.attacks.HopSkipJumpAttack(steps=2, constraint="linf"), HopSkipJump, Linf(1.0)),
        (foolbox.attacks.BoundaryAttack(steps=250), Boundary, L2(8.0)),
    ]
    for peer, kind, geometry in peers:
        sheet = Counter(plain)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            wrapped = foolbox.PyTorchModel(sheet.eval(), bounds=(0, 1), device="cpu")
            found, _, success = peer(wrapped, images, labels, epsilons=None)
        theirs = torch.where(success, geometry.distance(found - images), torch.inf)
        ours = kind(queries=sheet.asked // 20, settle=False)(plain, images, labels, geometry)
        reached = torch.where(ours.success, ours.distances, torch.inf)
        assert float(reached.median()) <= 1.05 * float(theirs.median())
