"""The built-in networks: shapes, the tutorial's size, and names that do not exist."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hauberk.core.errors import ConfigError, UnknownName
from hauberk.datasets import Dataset
from hauberk.models import ARCHITECTURES, create
from hauberk.models.architectures import build

SMALL = {
    "cnn": {"channels": [2, 3], "hidden": 4},
    "mlp": {"hidden": [5, 4]},
    "wide-resnet": {"depth": 10, "width": 1, "dropout": 0.1},
}

CASES = [
    ("cnn", (1, 28, 28), 10, {}),
    ("cnn", (1, 8, 8), 10, {}),
    ("cnn", (3, 32, 32), 7, SMALL["cnn"]),
    ("cnn", (2, 10, 17), 2, {"padding": 0}),
    ("cnn", (1, 4, 4), 2, {"padding": 1}),
    ("cnn", (1, 9, 30), 3, SMALL["cnn"]),
    ("mlp", (7,), 3, {}),
    ("mlp", (1, 5, 6), 3, SMALL["mlp"]),
    ("mlp", (2, 3, 4, 5), 2, {"hidden": []}),
    ("preact-resnet18", (3, 8, 8), 4, {}),
    ("wide-resnet", (3, 16, 16), 4, SMALL["wide-resnet"]),
    ("wide-resnet", (1, 9, 7), 4, {"depth": 16, "width": 1}),
]


@pytest.mark.parametrize(("name", "shape", "classes", "args"), CASES)
def test_one_finite_logit_per_class(name: str, shape: tuple[int, ...], classes: int, args: Any) -> None:
    found = build(name, shape, classes, args).eval()(torch.rand(2, *shape))
    assert found.shape == (2, classes)
    assert bool(found.isfinite().all())


def size(module: nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())


def test_the_tutorials_network_has_its_published_size() -> None:
    assert size(build("cnn", (1, 28, 28), 10)) == 121_930


def test_the_tutorials_network_is_the_tutorials_function() -> None:
    """conv, relu, pool, conv, relu, pool, flatten, dense, relu, dense: written out again."""
    module = build("cnn", (1, 12, 12), 3, SMALL["cnn"]).eval()
    c1, c2, d1, d2 = (one for one in module.modules() if isinstance(one, nn.Conv2d | nn.Linear))
    x = torch.rand(5, 1, 12, 12)
    hidden = F.max_pool2d(F.relu(F.conv2d(x, c1.weight, c1.bias)), 2)
    hidden = F.max_pool2d(F.relu(F.conv2d(hidden, c2.weight, c2.bias)), 2)
    expected = F.linear(F.relu(F.linear(hidden.flatten(1), d1.weight, d1.bias)), d2.weight, d2.bias)
    torch.testing.assert_close(module(x), expected)


def test_residual_networks_have_their_published_sizes() -> None:
    # CIFAR-10: pre-activation ResNet-18 11.17 million, WRN-28-10 36.5 million (counted without memory)
    with torch.device("meta"):
        assert size(build("preact-resnet18", (3, 32, 32), 10)) == pytest.approx(11.17e6, rel=1e-3)
        assert size(build("wide-resnet", (3, 32, 32), 10)) == pytest.approx(36.5e6, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "shape", "args", "why"),
    [
        ("cnn", (64,), {}, "takes images"),
        ("cnn", (8, 8), {}, "takes images"),
        ("preact-resnet18", (64,), {}, "takes images"),
        ("wide-resnet", (64,), {}, "takes images"),
        ("wide-resnet", (3, 8, 8), {"depth": 11}, "6n"),
        ("cnn", (1, 3, 3), {}, "too small"),
        ("cnn", (1, 9, 9), {"padding": 0}, "too small"),
        ("cnn", (1, 28, 2), {}, "too small"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, shape: tuple[int, ...], args: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        build(name, shape, 3, args)


@pytest.mark.parametrize(
    ("name", "args", "near"),
    [
        ("cn", {}, "cnn"),
        ("wideresnet", {}, "wide-resnet"),
        ("cnn", {"chanels": [1, 2]}, "channels"),
        ("mlp", {"hiden": [1]}, "hidden"),
        ("wide-resnet", {"drop_out": 0.1}, "dropout"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(name: str, args: Any, near: str) -> None:
    with pytest.raises(UnknownName, match=f"did you mean '{near}'"):
        build(name, (3, 8, 8), 3, args)


def test_shape_and_classes_are_not_arguments() -> None:
    for name in ARCHITECTURES:
        with pytest.raises(UnknownName):
            build(name, (3, 8, 8), 3, {"classes": 4})


class TestCreate:
    data = Dataset("toy", torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0]), ("a", "b", "c"))

    def test_the_same_seed_gives_the_same_weights_and_another_others(self) -> None:
        one, same, other = (create("cnn", self.data, seed=seed, args=SMALL["cnn"]) for seed in (0, 0, 1))
        assert one.digest == same.digest != other.digest

    def test_the_callers_random_state_is_untouched(self) -> None:
        torch.manual_seed(3)
        expected = torch.rand(2)
        torch.manual_seed(3)
        create("mlp", self.data)
        assert torch.equal(torch.rand(2), expected)

    def test_the_contract_is_the_datas(self) -> None:
        made = create("cnn", self.data, args=SMALL["cnn"])
        assert made.input_shape == (1, 8, 8)
        assert made.labels == ("a", "b", "c")
        assert made.bounds == (0.0, 1.0)
        assert made.architecture == {"name": "cnn", "args": SMALL["cnn"]}
