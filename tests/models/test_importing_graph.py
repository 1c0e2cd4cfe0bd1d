"""The declarative network: what it builds, what it refuses, and that it behaves as any module does."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import torch

from hauberk.core.errors import DataError, UnknownName, UnsupportedModel
from hauberk.models import Classifier, load, save
from hauberk.models.importing.builder import Builder
from hauberk.models.importing.graph import OPERATIONS, GraphModule
from hauberk.models.twin import fast_twin


def small() -> dict[str, Any]:
    return {
        "inputs": ["x"],
        "nodes": [
            {
                "name": "conv",
                "op": "conv2d",
                "inputs": ["x"],
                "attrs": {"in_channels": 1, "out_channels": 4, "kernel_size": [3, 3]},
            },
            {"name": "norm", "op": "batch_norm", "inputs": ["conv"], "attrs": {"features": 4, "eps": 1e-3}},
            {"name": "relu", "op": "relu", "inputs": ["norm"], "attrs": {}},
            {"name": "both", "op": "add", "inputs": ["conv", "relu"]},
            {"name": "drop", "op": "dropout", "inputs": ["both"], "attrs": {"p": 0.5}},
            {"name": "flat", "op": "reshape", "inputs": ["drop"], "attrs": {"shape": [-1]}},
            {
                "name": "dense",
                "op": "linear",
                "inputs": ["flat"],
                "attrs": {"in_features": 144, "out_features": 3},
            },
        ],
        "output": "dense",
    }


def test_it_computes_what_the_nodes_say() -> None:
    graph = GraphModule(**small()).eval()
    x = torch.rand(2, 1, 8, 8)
    layers = graph.layers
    convolved = layers["conv"](x)
    expected = layers["dense"]((convolved + layers["norm"](convolved).relu()).flatten(1))
    torch.testing.assert_close(graph(x), expected)


def test_the_description_survives_json_and_a_package(tmp_path: Any) -> None:
    args = json.loads(json.dumps(small()))
    classifier = Classifier(
        GraphModule(**args),
        input_shape=(1, 8, 8),
        labels=3,
        architecture={"name": "graph", "args": args},
    ).eval()
    save(classifier, tmp_path / "package")
    again = load(tmp_path / "package")
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(again(x), classifier(x))
    assert again.digest == classifier.digest


def test_dropout_and_batch_norm_work_in_training() -> None:
    graph = GraphModule(**small()).train()
    x = torch.rand(4, 1, 8, 8)
    before = graph.layers["norm"].running_mean.clone()
    first, second = graph(x), graph(x)
    assert not torch.equal(first, second)
    assert not torch.equal(before, graph.layers["norm"].running_mean)
    first.sum().backward()
    assert all(one.grad is not None for one in graph.parameters())


def test_it_can_be_copied_and_laid_out_for_speed() -> None:
    classifier = Classifier(GraphModule(**small()), input_shape=(1, 8, 8), labels=3).eval()
    twin = fast_twin(classifier)
    x = torch.rand(3, 1, 8, 8)
    assert twin is not classifier
    torch.testing.assert_close(twin(x), classifier(x))
    assert copy.deepcopy(classifier).digest == classifier.digest


def broken(number: int, **changes: Any) -> dict[str, Any]:
    args = small()
    args["nodes"][number] = {**args["nodes"][number], **changes}
    return args


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (broken(2, op="relu7"), UnknownName),
        (broken(2, op="__import__"), UnknownName),
        (broken(2, attrs={"inplace": True}), UnknownName),
        (broken(2, inputs=["nobody"]), UnknownName),
        (broken(2, inputs=["dense"]), UnknownName),
        (broken(2, colour="red"), UnknownName),
        (broken(2, name="conv"), DataError),
        (broken(2, name="a.b"), DataError),
        (broken(2, name="keys"), DataError),
        (broken(2, inputs=[]), DataError),
        (broken(3, inputs=[]), DataError),
        (broken(0, attrs={"in_channels": 1}), DataError),
        (broken(0, attrs={"in_channels": -1, "out_channels": 4, "kernel_size": [3, 3]}), DataError),
        (small() | {"output": "nobody"}, UnknownName),
        (small() | {"inputs": ["x", "y"]}, DataError),
    ],
)
def test_what_cannot_be_meant_is_refused(args: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        GraphModule(**args)


def test_the_builder_knows_shapes_and_checks_weights() -> None:
    builder = Builder((3, 8, 8))
    attrs = {"in_channels": 3, "out_channels": 2, "kernel_size": [3, 3], "bias": False}
    made = builder.add("conv2d", ["x"], attrs, weights={"weight": torch.zeros(2, 3, 3, 3).numpy()})
    assert builder.shape(made)[1:] == (2, 6, 6)
    with pytest.raises(UnsupportedModel, match="has weights"):
        builder.add("conv2d", ["x"], attrs, weights={"weight": torch.zeros(2, 3, 1, 1).numpy()})
    with pytest.raises(UnsupportedModel, match="does not fit its input"):
        builder.add("linear", [made], {"in_features": 5, "out_features": 2, "bias": False})


def test_every_operation_can_be_made_or_says_what_it_lacks() -> None:
    for name, (maker, count) in OPERATIONS.items():
        assert callable(maker), name
        assert count >= -1, name
