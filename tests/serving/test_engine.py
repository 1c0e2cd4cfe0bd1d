"""An engine answers what its network answers, whatever the layout of memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hauberk.models import Classifier
from hauberk.models.architectures import build
from hauberk.serving.engine import Engine

SHAPE = (3, 12, 12)
ROWS = np.random.default_rng(0).random((9, *SHAPE), dtype=np.float32)


class Insists(nn.Module):
    """Reads its memory as it lies, which only the usual layout allows."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.last = nn.Linear(4 * 10 * 10, 5)

    def forward(self, x: Tensor) -> Tensor:
        out = self.convolution(x)
        return self.last(out.view(len(out), -1))


class Noisy(Insists):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x + 0.1 * torch.rand_like(x)).contiguous())


class Reads(Insists):
    """Answers something else, without a word, where the layout is another one."""

    def forward(self, x: Tensor) -> Tensor:
        out = self.convolution(x)
        return self.last(out.as_strided((len(out), 400), (400, 1)))


def classifier(module: nn.Module, shape: tuple[int, ...] = SHAPE) -> Classifier:
    return Classifier(module, input_shape=shape, labels=5).eval()


@pytest.mark.parametrize("make", [lambda: build("cnn", SHAPE, 5, {}), Insists, Reads])
@pytest.mark.parametrize("rows", [1, 9])
def test_answers_are_the_networks_own(make: type[nn.Module], rows: int) -> None:
    torch.manual_seed(0)
    model = classifier(make())
    with torch.inference_mode():
        expected = model(torch.from_numpy(ROWS[:rows]))
    found = Engine(model, 8)(ROWS[:rows])
    assert np.allclose(found.logits, expected.numpy(), atol=1e-6)
    assert np.allclose(found.probabilities, expected.softmax(1).numpy(), atol=1e-6)
    assert np.array_equal(found.label, expected.argmax(1).numpy())


def test_a_network_that_draws_keeps_the_layout_it_came_with() -> None:
    model = classifier(Noisy())
    Engine(model, 8)
    weight = model.module.get_submodule("convolution").weight
    assert isinstance(weight, Tensor)
    assert weight.is_contiguous()


def test_other_than_images_work_too() -> None:
    torch.manual_seed(0)
    model = classifier(nn.Linear(7, 5), (7,))
    rows = np.random.default_rng(1).random((4, 7), dtype=np.float32)
    with torch.inference_mode():
        expected = model(torch.from_numpy(rows)).numpy()
    assert np.allclose(Engine(model, 8)(rows).logits, expected, atol=1e-6)


def test_bounds_are_the_models_own() -> None:
    model = Classifier(nn.Flatten(), input_shape=(2, 1, 1), labels=2, bounds=([0.0, -1.0], [1.0, 2.0]))
    engine = Engine(model, 2)
    rows = np.array([[0.5, -0.5], [0.5, -1.1], [1.1, 0.0], [np.nan, 0.0], [1 + 5e-7, 2.0]], np.float32)
    shaped = rows.reshape(5, 2, 1, 1)
    assert engine.invalid(shaped).tolist() == [False, True, True, True, False]
    assert engine.clipped(shaped)[4].ravel().tolist() == [1.0, 2.0]
