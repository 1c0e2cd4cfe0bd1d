"""ONNX files: made by torch's two exporters and by hand, against the reference evaluator and the original."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hauberk.core.errors import ConfigError, DataError, DependencyMissing, IntegrityError, UnsupportedModel
from hauberk.models import load, save
from hauberk.models.importing import import_model, onnx_model

if os.environ.get("HAUBERK_CI"):
    import onnx
    from onnx import helper, numpy_helper
else:
    onnx = pytest.importorskip("onnx")
    from onnx import helper, numpy_helper


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.drop = nn.Dropout(0.5)
        self.dense = nn.Linear(4 * 4 * 4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.max_pool2d(self.norm(self.conv(x)).relu(), 2)
        x = nn.functional.hardswish(nn.functional.gelu(x + self.second(x)))
        return self.dense(self.drop(x.view(x.size(0), -1))).softmax(1)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 5, 5)
        self.place = nn.Parameter(torch.randn(1, 4, 8))
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.place
        x = x + (x @ x.transpose(1, 2)).softmax(-1) @ x
        return self.head(self.norm(x).mean(1))


def exported(module: nn.Module, path: Path, *, dynamo: bool, dynamic: bool) -> nn.Module:
    module.train()
    with torch.no_grad():
        for _ in range(3):  # running statistics that differ from the start
            module(torch.rand(16, 1, 10, 10))
    module.eval()
    settings: dict[str, Any] = {}
    if dynamic and dynamo:
        settings = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}
    elif dynamic:
        settings = {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters talk about themselves
        torch.onnx.export(
            module, (torch.rand(2, 1, 10, 10),), str(path), dynamo=dynamo, verbose=False, **settings
        )
    return module


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("dynamo", [True, False])
def test_what_torch_exports_comes_in(tmp_path: Path, dynamo: bool, dynamic: bool) -> None:
    if dynamo:
        pytest.importorskip("onnxscript")
    for number, module in enumerate((Small(), Attention())):
        path = tmp_path / f"model{number}.onnx"
        exported(module, path, dynamo=dynamo, dynamic=dynamic)
        imported = import_model(path)
        x = torch.rand(5, 1, 10, 10)
        ours = imported.classifier(x)
        ours = ours.softmax(1) if number == 0 else ours
        torch.testing.assert_close(ours, module(x), atol=1e-5, rtol=0)
        assert imported.classifier.input_shape == (1, 10, 10)
        assert imported.classifier.outputs == "logits"
        assert imported.evidence.parameters["format"] == "onnx"
        assert imported.evidence.result["largest_difference"] < 1e-4


def test_a_package_loads_without_onnx(tmp_path: Path) -> None:
    exported(Small(), tmp_path / "model.onnx", dynamo=False, dynamic=True)
    classifier = import_model(tmp_path / "model.onnx").classifier
    save(classifier, tmp_path / "package")
    script = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['onnx', 'onnxscript', 'onnxruntime']))\n"
        "from hauberk.models import load\n"
        "print(load(sys.argv[1]).digest)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "package")]
    shown = subprocess.run(command, check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == classifier.digest == load(tmp_path / "package").digest


GENERATOR = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape).astype(np.float32)


def made(
    path: Path,
    nodes: Sequence[Any],
    weights: dict[str, np.ndarray] | None = None,
    shape: Sequence[int | str] = ("n", 2, 6, 6),
    opset: int = 17,
) -> Path:
    """A file with ``x`` in and ``y`` out."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", "m"])],
        [numpy_helper.from_array(one, name) for name, one in (weights or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, str(path))
    return path


def head(size: int) -> tuple[list[Any], dict[str, np.ndarray]]:
    """From ``h`` to three logits."""
    nodes = [helper.make_node("Flatten", ["h"], ["f"]), helper.make_node("Gemm", ["f", "w", "b"], ["y"])]
    return nodes, {"w": numbers(size, 3), "b": numbers(3)}


INTS = np.int64
OPERATIONS: dict[str, tuple[list[Any], dict[str, np.ndarray], int]] = {
    "convolution": (
        [
            helper.make_node(
                "Conv", ["x", "k"], ["h"], auto_pad="SAME_UPPER", strides=[2, 2], group=2, kernel_shape=[3, 3]
            )
        ],
        {"k": numbers(4, 1, 3, 3)},
        36,
    ),
    "lower": (
        [helper.make_node("Conv", ["x", "k"], ["h"], auto_pad="SAME_LOWER", kernel_shape=[2, 2])],
        {"k": numbers(1, 2, 2, 2)},
        36,
    ),
    "uneven": (
        [helper.make_node("MaxPool", ["x"], ["h"], kernel_shape=[3, 3], pads=[0, 1, 2, 0], strides=[1, 2])],
        {},
        36,
    ),
    "ceiling": (
        [helper.make_node("MaxPool", ["x"], ["h"], kernel_shape=[2, 2], strides=[4, 4], ceil_mode=1)],
        {},
        8,
    ),
    "average": (
        [helper.make_node("AveragePool", ["x"], ["h"], kernel_shape=[3, 3], pads=[0, 1, 1, 1])],
        {},
        60,
    ),
    "average with padding": (
        [
            helper.make_node(
                "AveragePool", ["x"], ["h"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
            )
        ],
        {},
        72,
    ),
    "global": (
        [
            helper.make_node("GlobalAveragePool", ["x"], ["a"]),
            helper.make_node("GlobalMaxPool", ["x"], ["b0"]),
            helper.make_node("Concat", ["a", "b0"], ["h"], axis=1),
        ],
        {},
        4,
    ),
    "activations": (
        [
            helper.make_node("LeakyRelu", ["x"], ["a1"], alpha=0.2),
            helper.make_node("Elu", ["a1"], ["a2"], alpha=0.7),
            helper.make_node("Sigmoid", ["a2"], ["a3"]),
            helper.make_node("Tanh", ["a3"], ["a4"]),
            helper.make_node("Clip", ["a4", "low", "high"], ["a5"]),
            helper.make_node("Erf", ["a5"], ["a6"]),
            helper.make_node("HardSigmoid", ["a6"], ["a7"], alpha=0.3),
            helper.make_node("PRelu", ["a7", "slope"], ["a8"]),
            helper.make_node("Softplus", ["a8"], ["a9"]),
            helper.make_node("Pow", ["a9", "two"], ["h"]),
        ],
        {
            "low": np.array(0.1, np.float32),
            "high": np.array(0.6, np.float32),
            "slope": numbers(2, 1, 1),
            "two": np.array(2.0, np.float32),
        },
        72,
    ),
    "arithmetic": (
        [
            helper.make_node("Sub", ["x", "mean"], ["a1"]),
            helper.make_node("Div", ["a1", "half"], ["a2"]),
            helper.make_node("Mul", ["a2", "x"], ["a3"]),
            helper.make_node("Sub", ["half", "a3"], ["h"]),
        ],
        {"mean": numbers(1, 2, 1, 1), "half": np.array(0.5, np.float32)},
        72,
    ),
    "shapes": (
        [
            helper.make_node("Shape", ["x"], ["s"]),
            helper.make_node("Gather", ["s", "zero"], ["n0"], axis=0),
            helper.make_node("Unsqueeze", ["n0", "axes"], ["n1"]),
            helper.make_node("Concat", ["n1", "rest"], ["target"], axis=0),
            helper.make_node("Reshape", ["x", "target"], ["r"]),
            helper.make_node("Transpose", ["r"], ["t"], perm=[0, 2, 1]),
            helper.make_node("Unsqueeze", ["t", "last"], ["u"]),
            helper.make_node("Squeeze", ["u", "last"], ["q"]),
            helper.make_node("ReduceMean", ["q"], ["h"], axes=[1], keepdims=0),
        ],
        {
            "zero": np.array(0, INTS),
            "axes": np.array([0], INTS),
            "rest": np.array([4, -1], INTS),
            "last": np.array([3], INTS),
        },
        4,
    ),
    "padding": (
        [
            helper.make_node("Pad", ["x", "pads", "value"], ["p"]),
            helper.make_node("Cast", ["p"], ["c"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Dropout", ["c"], ["d"]),
            helper.make_node("Identity", ["d"], ["h"]),
        ],
        {"pads": np.array([0, 0, 1, 2, 0, 0, 0, 1], INTS), "value": np.array(0.3, np.float32)},
        126,
    ),
    "norm": (
        [helper.make_node("BatchNormalization", ["x", "g", "o", "m", "v"], ["h"], epsilon=0.01)],
        {"g": numbers(2), "o": numbers(2), "m": numbers(2), "v": np.abs(numbers(2)) + 0.1},
        72,
    ),
    "constants": (
        [
            helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(numbers(2, 6, 6))),
            helper.make_node("Add", ["x", "c"], ["h"]),
        ],
        {},
        72,
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(tmp_path: Path, name: str) -> None:
    nodes, weights, size = OPERATIONS[name]
    more, last = head(size)
    path = made(tmp_path / "model.onnx", [*nodes, *more], {**weights, **last})
    imported = import_model(path)
    assert imported.evidence.result["largest_difference"] < 1e-4
    classifier = imported.classifier.train()
    classifier(torch.rand(2, 2, 6, 6)).sum().backward()
    assert any(one.grad is not None for one in classifier.parameters())


def test_log_softmax_and_one_sigmoid(tmp_path: Path) -> None:
    more, last = head(72)
    more[-1].output[0] = "z"
    flat = helper.make_node("Identity", ["x"], ["h"])
    ending = helper.make_node("LogSoftmax", ["z"], ["y"], axis=1)
    first = import_model(made(tmp_path / "a.onnx", [flat, *more, ending], last))
    assert first.classifier.outputs == "logits"
    assert "log-softmax" in first.evidence.result["conversions"][0]
    one = {"w": numbers(72, 1), "b": numbers(1)}
    ending = helper.make_node("Sigmoid", ["z"], ["y"])
    second = import_model(made(tmp_path / "b.onnx", [flat, *more, ending], one))
    assert second.classifier.num_classes == 2


def test_an_operation_without_counterpart_is_named(tmp_path: Path) -> None:
    more, last = head(72)
    path = made(tmp_path / "a.onnx", [helper.make_node("Sin", ["x"], ["h"]), *more], last)
    with pytest.raises(UnsupportedModel, match="'Sin'") as caught:
        import_model(path)
    assert "Conv" in str(caught.value.hint)


def test_shapes_that_mix_the_batch_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("Reshape", ["x", "s"], ["y"])
    path = made(tmp_path / "a.onnx", [node], {"s": np.array([-1, 2], INTS)})
    with pytest.raises(UnsupportedModel, match="batch"):
        import_model(path)


def test_a_conversion_that_answers_differently_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more, last = head(72)
    path = made(tmp_path / "a.onnx", [helper.make_node("Relu", ["x"], ["h"]), *more], last)
    monkeypatch.setitem(onnx_model.OPERATORS, "Relu", onnx_model._plain("tanh"))
    with pytest.raises(UnsupportedModel, match="differ from the original"):
        import_model(path)


def test_weights_may_stand_beside_the_file_and_nowhere_else(tmp_path: Path) -> None:
    more, last = head(72)
    nodes = [helper.make_node("Identity", ["x"], ["h"]), *more]
    inside = made(tmp_path / "a.onnx", nodes, last)
    onnx.save(
        onnx.load(str(inside)),
        str(tmp_path / "b.onnx"),
        save_as_external_data=True,
        location="b.data",
        size_threshold=0,
    )
    x = torch.rand(2, 2, 6, 6)
    beside = import_model(tmp_path / "b.onnx").classifier
    torch.testing.assert_close(beside(x), import_model(inside).classifier(x))
    (tmp_path / "sub").mkdir()
    for place in ("../b.data", str(tmp_path / "b.data")):
        model = onnx.load(str(tmp_path / "b.onnx"), load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = place
        target = tmp_path / "sub" / "c.onnx"
        target.write_bytes(model.SerializeToString())
        with pytest.raises(IntegrityError, match="outside of the file's folder"):
            import_model(target)


def test_files_that_are_not_valid(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"hello world, this is no protobuf at all")
    with pytest.raises(DataError, match="ONNX"):
        import_model(tmp_path / "a.onnx")
    (tmp_path / "b.onnx").write_bytes(b"")
    with pytest.raises(DataError, match="imports"):
        import_model(tmp_path / "b.onnx")
    node = helper.make_node("Relu", ["x"], ["y"])
    with pytest.raises(ConfigError, match="any size"):
        import_model(made(tmp_path / "c.onnx", [node], shape=("n", 2, "h", "w")))
    with pytest.raises(UnsupportedModel, match="answers"):
        import_model(made(tmp_path / "d.onnx", [node]))
    with pytest.raises(DataError, match="not a valid ONNX model"):
        import_model(made(tmp_path / "e.onnx", [helper.make_node("Relu", ["nobody"], ["y"])]))


def test_a_constant_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["c"]), helper.make_node("Add", ["x", "c"], ["y"])]
    with pytest.raises(UnsupportedModel, match="too large"):
        import_model(made(tmp_path / "a.onnx", nodes, {"s": np.array([1 << 40], INTS)}))


def test_without_onnx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DependencyMissing) as caught:
        onnx_model._onnx()
    assert caught.value.hint == "pip install 'hauberk[onnx]'"
