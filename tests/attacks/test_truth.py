"""Attacks against what can be worked out by hand or by another library."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import hauberk
from hauberk.attacks import APGD, BIM, FGSM, MIFGSM, PGD
from hauberk.attacks.objectives import DLR, CrossEntropy, Margin, Objective, attacker_margin
from hauberk.attacks.oracle import Oracle
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.threats import L2, Linf, ThreatModel


def linear(weights: Tensor, bias: float = 0.0) -> Classifier:
    """Two classes; class 0 wins where w.x + b > 0."""
    layer = nn.Linear(weights.numel(), 2)
    with torch.no_grad():
        layer.weight.copy_(torch.stack([weights / 2, -weights / 2]))
        layer.bias.copy_(torch.tensor([bias / 2, -bias / 2]))
    return Classifier(layer, input_shape=(weights.numel(),), labels=2, bounds=(-10.0, 10.0)).eval()


@pytest.mark.parametrize("attack", [FGSM(), BIM(steps=5), PGD(steps=20), MIFGSM(), APGD(steps=30)], ids=repr)
@pytest.mark.parametrize(("factor", "falls"), [(0.97, False), (1.03, True)])
def test_linear_model_falls_exactly_at_its_margin(attack: object, factor: float, falls: bool) -> None:
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0])
    model = linear(weights)
    x = torch.tensor([[0.4, -0.3, 0.2, 0.1]])
    score = float(x @ weights)
    for geometry, dual in ((Linf, weights.abs().sum()), (L2, weights.norm())):
        eps = factor * score / float(dual)
        result = attack(model, x, torch.tensor([0]), geometry(eps))  # type: ignore[operator]
        assert bool(result.success[0]) is falls


def test_gradients_match_finite_differences(plain: Classifier, digits: Dataset) -> None:
    import copy

    model = copy.deepcopy(plain).double()
    x, labels = digits.images[:3].double(), digits.labels[:3]
    # away from ReLU and pooling ties
    x = x + 0.01 * torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for objective in (CrossEntropy(), Margin(), DLR()):
        look = Oracle(model, objective).look(x, labels, None)
        for position in [(0, 2, 3), (0, 4, 4), (0, 5, 2)]:
            step = torch.zeros_like(x)
            step[(slice(None), *position)] = 1e-6
            with torch.no_grad():
                ahead = objective(model(x + step), labels, None)
                behind = objective(model(x - step), labels, None)
            slope = (ahead - behind) / 2e-6
            assert torch.allclose(look.gradient[(slice(None), *position)], slope, atol=1e-5)


def test_objectives_rise_towards_the_attacker() -> None:
    logits = torch.tensor([[3.0, 1.0, 0.0, -1.0], [0.0, 2.0, 1.5, -3.0]])
    labels, targets = torch.tensor([0, 1]), torch.tensor([2, 2])
    assert torch.allclose(attacker_margin(logits, labels, None), torch.tensor([-2.0, -0.5]))
    assert torch.allclose(attacker_margin(logits, labels, targets), torch.tensor([-3.0, -0.5]))
    assert torch.allclose(DLR()(logits, labels, None), torch.tensor([-2 / 3, -0.5 / 2]))
    assert torch.allclose(DLR()(logits, labels, targets), torch.tensor([-3 / 3.5, -0.5 / 3.5]), atol=1e-4)
    assert torch.allclose(
        CrossEntropy()(logits, labels, targets), logits.log_softmax(1)[[0, 1], [2, 2]], atol=1e-6
    )


def test_eps_of_everything_breaks_everything(plain: Classifier, digits: Dataset) -> None:
    result = PGD(steps=40)(plain, digits.images[:100], digits.labels[:100], Linf(1.0))
    assert result.robust_accuracy == 0.0


def test_more_steps_are_never_worse(hardened: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:150], digits.labels[:150]
    # with the same step size, the longer run passes through the shorter one's points
    fooled = [
        int(PGD(steps=steps, step_size=0.03)(hardened, images, labels, Linf(0.15)).success.sum())
        for steps in (2, 5, 10, 20)
    ]
    assert fooled == sorted(fooled)


def test_more_restarts_are_never_worse(hardened: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:150], digits.labels[:150]
    few = PGD(steps=10, restarts=1)(hardened, images, labels, Linf(0.15), seed=4)
    many = PGD(steps=10, restarts=4)(hardened, images, labels, Linf(0.15), seed=4)
    assert bool((many.success | ~few.success).all())


def test_agrees_with_foolbox(hardened: Classifier, digits: Dataset) -> None:
    """PGD-40 from random starts, same step: success within 2 points of an independent implementation."""
    foolbox = pytest.importorskip("foolbox")
    images, labels = digits.images, digits.labels
    peer = foolbox.attacks.LinfPGD(steps=40, rel_stepsize=2.5 / 40, random_start=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        wrapped = foolbox.PyTorchModel(hardened, bounds=(0, 1), device="cpu")
        _, clipped, success = peer(wrapped, images, labels, epsilons=[0.15])
    theirs = 1 - float(success.float().mean())
    ours = PGD(steps=40)(hardened, images, labels, Linf(0.15)).robust_accuracy
    assert float((clipped[0] - images).abs().max()) <= 0.15 + 1e-6
    assert abs(ours - theirs) <= 0.02
    assert ours <= theirs + 0.01


def test_works_in_double_and_half_precision(plain: Classifier, digits: Dataset) -> None:
    import copy

    images, labels = digits.images[:20], digits.labels[:20]
    reference = PGD(steps=10)(plain, images, labels, Linf(0.15))
    for kind in (torch.float64, torch.bfloat16):
        model = copy.deepcopy(plain).to(kind)
        result = PGD(steps=10)(model, images, labels, Linf(0.15))
        assert result.candidates.dtype == torch.float32
        assert abs(int(result.success.sum()) - int(reference.success.sum())) <= 2
    exact = PGD(steps=10)(copy.deepcopy(plain).double(), images.double(), labels, Linf(0.15))
    assert exact.candidates.dtype == torch.float64


def test_query_budget_is_obeyed_exactly(hardened: Classifier, digits: Dataset) -> None:
    class Counting(nn.Module):
        """Counts how often each image is asked about."""

        def __init__(self, inner: Classifier) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)

    model = Classifier(Counting(hardened), input_shape=(1, 8, 8), labels=10).eval()
    images, labels = digits.images[:30], digits.labels[:30]
    for budget in (1, 2, 3, 7):
        threat = ThreatModel(Linf(0.15), queries=budget)
        result = PGD(steps=40, restarts=3)(model, images, labels, threat)
        assert int(result.queries.max()) == budget
        assert bool((result.gradients <= result.queries).all())
    unlimited = PGD(steps=5)(model, images, labels, Linf(1e-4))
    standing = ~unlimited.misclassified
    assert unlimited.queries[standing].unique().tolist() == [1 + 5 + 1]


class Noisy(nn.Module):
    """Adds fresh noise to its logits at each call."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x)
        return logits + 0.05 * torch.randn_like(logits)


def test_expectation_over_transformation(plain: Classifier, digits: Dataset) -> None:
    noisy = Classifier(Noisy(plain.module), input_shape=(1, 8, 8), labels=10).eval()
    images, labels = digits.images[:20], digits.labels[:20]
    with pytest.raises(hauberk.core.errors.UnsupportedModel, match="change from call to call"):
        PGD(steps=5)(noisy, images, labels, Linf(0.2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        result = PGD(steps=10, eot=4)(noisy, images, labels, Linf(0.2))
    assert int(result.queries.max()) % 4 == 0
    assert result.robust_accuracy < 0.5


class Rounded(nn.Module):
    """Rounds its input: no gradient reaches it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner((x * 8).round() / 8)
        return logits


def test_gradients_from_a_stand_in_break_what_rounding_hides(plain: Classifier, digits: Dataset) -> None:
    rounded = Classifier(Rounded(plain.module), input_shape=(1, 8, 8), labels=10).eval()
    images, labels = digits.images[:60], digits.labels[:60]
    blind = PGD(steps=20, random_start=False)(rounded, images, labels, Linf(0.2))
    assert bool(blind.zero_gradient[~blind.misclassified].all())
    assert int(blind.success.sum()) == 0
    seeing = PGD(steps=20)(rounded, images, labels, Linf(0.2), gradients_from=plain)
    assert seeing.robust_accuracy < 0.3


def test_repr_is_complete() -> None:
    text = repr(PGD(steps=7, restarts=2, objective="margin"))
    assert text == "PGD(objective=Margin(), eot=1, steps=7, step_size=None, restarts=2, random_start=True)"


class Scaled(nn.Module):
    """Logits times a power of two, which changes no decision and no direction."""

    def __init__(self, inner: nn.Module, factor: float) -> None:
        super().__init__()
        self.inner, self.factor = inner, factor

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x) * self.factor
        return logits


def test_momentum_does_not_depend_on_the_size_of_the_gradients(hardened: Classifier, digits: Dataset) -> None:
    tiny = Classifier(Scaled(hardened.module, 2.0**-60), input_shape=(1, 8, 8), labels=10).eval()
    attack = MIFGSM(objective="margin")
    same, small = (attack(one, digits.images[:40], digits.labels[:40], Linf(0.1)) for one in (hardened, tiny))
    assert torch.equal(same.candidates, small.candidates)


class Rooted(nn.Module):
    """Takes square roots, whose slope at a black pixel is infinite, and times 0 not a number."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x + 0 * x.sqrt())
        return logits


@pytest.mark.parametrize("geometry", [Linf(0.25), L2(1.5)], ids=lambda one: one.norm)
def test_slopes_that_are_not_numbers_hide_nothing(geometry: object, plain: Classifier, digits: Dataset) -> None:
    rooted = Classifier(Rooted(plain.module), input_shape=(1, 8, 8), labels=10).eval()
    result = PGD(steps=20)(rooted, digits.images[:60], digits.labels[:60], geometry)  # type: ignore[arg-type]
    assert bool(torch.isfinite(result.candidates).all())
    assert result.robust_accuracy < 0.7


def test_checkpoints_are_the_papers() -> None:
    from hauberk.attacks.apgd import checkpoints

    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99, 100]
    assert checkpoints(1) == [1]


@pytest.mark.parametrize("objective", [CrossEntropy(), Margin(), DLR()], ids=repr)
def test_losses_of_equal_half_precision_logits_are_numbers(objective: Objective) -> None:
    logits = torch.ones((2, 4), dtype=torch.float16)
    for targets in (None, torch.tensor([1, 2])):
        loss = objective(logits, torch.tensor([0, 0]), targets)
        assert loss.dtype == torch.float32
        assert bool(torch.isfinite(loss).all())
