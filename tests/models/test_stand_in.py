"""Slopes passed straight through: the same answers, and gradients where there were none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from hauberk.attacks import PGD
from hauberk.core.errors import UnsupportedModel
from hauberk.models import Classifier
from hauberk.models.stand_in import straight_through
from hauberk.threats import Linf

STEPS: dict[str, Callable[[Tensor], Tensor]] = {
    "round": lambda x: (x * 4).round() / 4,
    "floor": lambda x: torch.floor(x * 8) / 8,
    "sign": lambda x: (x - 0.5).sign(),
    "clamp": lambda x: x.clamp(0.4, 0.41),
    "detach": lambda x: x.detach(),
    "detached floor": lambda x: torch.floor(x.detach() * 8) / 8,
}


class Stepped(nn.Module):
    def __init__(self, step: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 3)
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layer(self.step(x))
        return logits


def stepped(name: str) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Classifier(Stepped(STEPS[name]), input_shape=(16,), labels=3).eval()


@pytest.mark.parametrize("name", STEPS)
def test_same_answers_and_the_slope_of_what_follows(name: str) -> None:
    model = stepped(name)
    x = torch.rand((5, 16), generator=torch.Generator().manual_seed(1))
    through = straight_through(model)
    assert torch.equal(through(x), model(x))
    point = x.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(through(point)[:, 1].sum(), point)
    assert isinstance(model.module, Stepped)
    assert torch.allclose(slope, model.module.layer.weight[1].expand(5, -1), atol=1e-6)


def test_the_model_itself_is_as_it_was() -> None:
    model = stepped("round")
    before = model.digest
    x = torch.full((1, 16), 0.3, requires_grad=True)
    straight_through(model)(x)
    (slope,) = torch.autograd.grad(model(x).sum(), x)
    assert not bool(slope.any())
    assert model.digest == before
    assert torch.equal(torch.round(torch.tensor([0.6])), torch.tensor([1.0]))


def test_attacks_climb_by_it() -> None:
    model = stepped("detached floor")
    x = torch.rand((40, 16), generator=torch.Generator().manual_seed(2))
    labels = model(x).argmax(1)
    with pytest.raises(UnsupportedModel, match="no gradient"):
        PGD(steps=3)(model, x, labels, Linf(0.2))
    result = PGD(steps=20)(model, x, labels, Linf(0.2), gradients_from=straight_through(model))
    assert float(result.success.float().mean()) > 0.5
