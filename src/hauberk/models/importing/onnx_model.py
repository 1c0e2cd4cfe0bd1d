"""ONNX models, node by node into a ``GraphModule``, checked against ONNX's own reference evaluator.

Whatever can be computed before any image is there (shapes, constants put together, the ends of slices) is
computed by the reference evaluator; the batch stands in such shapes as a number of its own, which tells where a
reshape keeps it. Only the rest becomes nodes.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hauberk.core.errors import ConfigError, DataError, DependencyMissing, IntegrityError, UnsupportedModel
from hauberk.models.importing.builder import BATCH, Builder
from hauberk.models.importing.common import (
    ImportedModel,
    Request,
    describe_ending,
    finish,
    largest_difference,
    quiet,
    refused,
    take_off_ending,
)

_LARGEST_CONSTANT = 1 << 28  # entries; what is folded must not fill the memory

_FOLDED = frozenset(
    {
        *("Add", "Sub", "Mul", "Div", "Mod", "Neg", "Abs", "Sqrt", "Pow", "Floor", "Ceil", "Min", "Max"),
        *("Cast", "Concat", "Gather", "Identity", "Reshape", "Shape", "Size", "Slice", "Squeeze", "Unsqueeze"),
        *("Transpose", "Expand", "ConstantOfShape", "Range", "ReduceProd", "ReduceSum", "Equal", "Where"),
        *("Greater", "Less", "Not", "And", "Or", "Split", "Flatten", "Reciprocal", "Exp"),
    }
)


def import_onnx(request: Request) -> ImportedModel:
    """A classifier from an ONNX file.

    Raises:
        DependencyMissing: the onnx package is not installed.
        DataError: not a valid ONNX file.
        IntegrityError: weights outside of the file's folder.
        UnsupportedModel: an operation without counterpart, or answers that differ.
    """
    onnx = _onnx()
    model = _load(onnx, request.path)
    conversion = _Conversion(onnx, model, request)
    output = conversion.run()
    logits, ending = take_off_ending(conversion.builder, output)
    module, args = conversion.builder.build(logits)
    images = request.probes(conversion.input_shape)
    with torch.no_grad(), refused(f"{request.path}: the reference evaluator cannot run the model"):
        seen = request.normalized(images)
        theirs = conversion.answers(seen)
        ours = ending.restore(module(seen))
    difference = largest_difference(ours, theirs, str(request.path))
    return finish(
        request,
        module,
        kind="onnx",
        architecture={"name": "graph", "args": args},
        input_shape=conversion.input_shape,
        conversions=[*conversion.notes, *describe_ending(ending)],
        difference=difference,
        outputs="logits" if ending.name else None,
        extra_versions=("onnx",),
    )


def _onnx() -> Any:
    try:
        with quiet():
            onnx = importlib.import_module("onnx")
            for part in ("checker", "external_data_helper", "helper", "inliner", "numpy_helper", "reference"):
                importlib.import_module(f"onnx.{part}")
    except ImportError as error:
        raise DependencyMissing.extra("importing ONNX models", "onnx") from error
    return onnx


def _load(onnx: Any, path: Path) -> Any:
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's error types differ between its implementations
        raise DataError(f"{path} is not an ONNX file: {str(error).splitlines()[0]}") from error
    _check_places(onnx, model, path)
    try:
        with quiet():
            onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
            onnx.checker.check_model(model)
            if model.functions:
                model = onnx.inliner.inline_local_functions(model)
    except OSError as error:
        raise DataError(f"{path}: its weights stand in another file, which cannot be read: {error}") from error
    except Exception as error:  # the checker's error, which has no stable type
        raise DataError(f"{path} is not a valid ONNX model: {str(error).strip().splitlines()[0]}") from error
    return model


def _check_places(onnx: Any, model: Any, path: Path) -> None:
    """Weights may stand beside the file, nowhere else."""
    folder = path.parent.resolve()
    for tensor in onnx.external_data_helper._get_all_tensors(model):
        if not onnx.external_data_helper.uses_external_data(tensor):
            continue
        place = next((one.value for one in tensor.external_data if one.key == "location"), "")
        parts = PurePosixPath(place).parts
        inside = place and not PurePosixPath(place).is_absolute() and ".." not in parts and "\\" not in place
        if not inside or not (folder / place).resolve().is_relative_to(folder):
            raise IntegrityError(f"{path}: weights are to be read from '{place}', outside of the file's folder")


class _Conversion:
    """One model on its way."""

    def __init__(self, onnx: Any, model: Any, request: Request) -> None:
        self.onnx, self.model, self.request = onnx, model, request
        self.notes: list[str] = []
        self.opset = {one.domain or "ai.onnx": int(one.version) for one in model.opset_import}.get("ai.onnx", 0)
        graph = model.graph
        self.constants: dict[str, np.ndarray[Any, Any]] = {
            one.name: np.array(onnx.numpy_helper.to_array(one)) for one in graph.initializer
        }
        if graph.sparse_initializer:
            raise UnsupportedModel(f"{request.path} has sparse weights")
        inputs = [one for one in graph.input if one.name not in self.constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise UnsupportedModel(
                f"{request.path} has {len(inputs)} inputs and {len(graph.output)} outputs; a classifier has "
                "one of each"
            )
        self.input = inputs[0].name
        self.input_shape, self.batch = self._entry(inputs[0])
        self.builder = Builder(self.input_shape)
        self.values: dict[str, str] = {self.input: self.builder.input}
        self.trained: dict[str, str] = {}

    def _entry(self, value: Any) -> tuple[tuple[int, ...], int | None]:
        kind = value.type.tensor_type
        if kind.elem_type != self.onnx.TensorProto.FLOAT:
            raise UnsupportedModel(f"{self.request.path} takes inputs of another type than float32")
        sizes = [one.dim_value if one.HasField("dim_value") else None for one in kind.shape.dim]
        batch, rest = (sizes[0], sizes[1:]) if sizes else (None, [])
        if batch is not None:
            self.notes.append(f"the model was saved for batches of {batch}; it now takes any number")
        if not rest or any(size is None for size in rest):
            if self.request.input_shape is None:
                raise ConfigError(
                    f"{self.request.path} takes images of any size",
                    hint="say which: input_shape=(c, h, w) (--input-shape 1x28x28)",
                )
            said = self.request.input_shape
            if rest and (
                len(said) != len(rest)
                or any(size not in (None, own) for size, own in zip(rest, said, strict=True))
            ):
                raise ConfigError(f"{self.request.path} takes images {tuple(rest)}, not {said}")
            return said, batch
        return self.request.agree_on_shape([size for size in rest if size is not None]), batch

    def run(self) -> str:
        """All nodes; the name of the output's node."""
        for node in self.model.graph.node:
            self._node(node)
        name = self.model.graph.output[0].name
        if name not in self.values:
            raise UnsupportedModel(f"{self.request.path}: the output does not depend on the images")
        return self.values[name]

    def _node(self, node: Any) -> None:
        kind, where = node.op_type, node.name or f"of {node.output[0]}"
        if node.domain not in ("", "ai.onnx"):
            raise self.unsupported(f"{node.domain}.{kind}", where)
        if kind == "Constant":
            self.constants[node.output[0]] = self._fold(node)[0]
            return
        if kind == "Shape" and node.input[0] in self.values:
            self._shape(node)
            return
        if kind == "Size" and node.input[0] in self.values:
            self.constants[node.output[0]] = np.array(int(np.prod(self.shape(node.input[0]), dtype=object)))
            return
        if all(name in self.constants or not name for name in node.input):
            if kind not in _FOLDED:
                raise self.unsupported(kind, where)
            for name, value in zip(node.output, self._fold(node), strict=False):
                if value.size > _LARGEST_CONSTANT:
                    raise UnsupportedModel(f"{self.request.path}: the constant '{name}' is too large")
                self.constants[name] = value
            return
        handler = OPERATORS.get(kind)
        if handler is None:
            raise self.unsupported(kind, where)
        if any(node.output[1:]) and kind not in ("Dropout",):
            raise UnsupportedModel(f"{self.request.path}: '{kind}' ({where}) with more than one output")
        attributes = {one.name: self.onnx.helper.get_attribute_value(one) for one in node.attribute}
        made = handler(self, _Node(kind, where, list(node.input), attributes))
        self.values[node.output[0]] = made

    def unsupported(self, kind: str, where: str) -> UnsupportedModel:
        return UnsupportedModel(
            f"{self.request.path}: the operation '{kind}' ({where}) cannot be converted",
            hint=f"supported operations: {', '.join(sorted(OPERATORS))}",
            operation=kind,
        )

    def _shape(self, node: Any) -> None:
        attributes = {one.name: self.onnx.helper.get_attribute_value(one) for one in node.attribute}
        sizes = self.shape(node.input[0])[attributes.get("start", 0) : attributes.get("end")]
        self.constants[node.output[0]] = np.array(sizes, dtype=np.int64)

    def shape(self, name: str) -> tuple[int, ...]:
        """Sizes of a value, with ``BATCH`` where the batch is."""
        return self.builder.shape(self.values[name])

    def _fold(self, node: Any) -> list[np.ndarray[Any, Any]]:
        """What the reference evaluator makes of a node whose inputs are known."""
        if node.op_type in ("ConstantOfShape", "Expand", "Range"):
            self._check_growth(node)
        helper = self.onnx.helper
        names = [name for name in node.input if name]
        graph = helper.make_graph(
            [node],
            "constant",
            [
                helper.make_tensor_value_info(
                    name,
                    helper.np_dtype_to_tensor_dtype(self.constants[name].dtype),
                    list(self.constants[name].shape),
                )
                for name in dict.fromkeys(names)
            ],
            [helper.make_empty_tensor_value_info(name) for name in node.output if name],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        with refused(f"{self.request.path}: '{node.op_type}' cannot be computed"), _silent():
            evaluator = self.onnx.reference.ReferenceEvaluator(model)
            found = evaluator.run(None, {name: self.constants[name] for name in names})
        return [np.array(one) for one in found]

    def _check_growth(self, node: Any) -> None:
        numbers = self.constants[node.input[1 if node.op_type != "ConstantOfShape" else 0]]
        largest = np.abs(numbers.astype(np.float64))
        size = float(largest.max(initial=0)) if node.op_type == "Range" else float(np.prod(largest))
        if size > _LARGEST_CONSTANT:
            raise UnsupportedModel(f"{self.request.path}: a constant of {size:g} entries is too large")

    # For the operations

    def read(self, name: str) -> str:
        """The node of a value; constants become parameters, so that they can be trained on."""
        if name in self.values:
            return self.values[name]
        value = self.constants[name]
        if name not in self.trained:
            shape = list(value.shape)
            if value.dtype.kind == "f" and value.size > 1:
                made = self.builder.add("parameter", [], {"shape": shape}, name=name, weights={"value": value})
            else:
                kind = "float32" if value.dtype.kind == "f" else {"b": "bool"}.get(value.dtype.kind, "int64")
                array = value if value.dtype.kind in "fb" else value.astype(np.int64)
                attrs = {"shape": shape, "dtype": kind}
                made = self.builder.add("constant", [], attrs, name=name, weights={"value": array})
            self.trained[name] = made
        return self.trained[name]

    def known(self, node: _Node, position: int, attribute: str | None = None) -> np.ndarray[Any, Any] | None:
        """An input that must be a constant, or the attribute that older versions had in its place."""
        if len(node.inputs) > position and node.inputs[position]:
            name = node.inputs[position]
            if name not in self.constants:
                raise UnsupportedModel(
                    f"{self.request.path}: '{node.kind}' ({node.where}) depends on the images where only "
                    "constants are converted",
                    operation=node.kind,
                )
            return self.constants[name]
        if attribute is not None and attribute in node.attributes:
            return np.array(node.attributes[attribute])
        return None

    def rank(self, node: _Node) -> int:
        return len(self.shape(node.inputs[0]))

    def only_images(self, node: _Node) -> None:
        if self.rank(node) != 4:
            raise UnsupportedModel(
                f"{self.request.path}: '{node.kind}' ({node.where}) over {self.rank(node) - 2} dimensions; "
                "only images are converted",
                operation=node.kind,
            )

    def answers(self, images: Tensor) -> Tensor:
        """The original's outputs."""
        with _silent():
            evaluator = self.onnx.reference.ReferenceEvaluator(self.model)
            size = self.batch or len(images)
            parts = []
            for start in range(0, len(images), size):
                part = images[start : start + size]
                short = size - len(part)
                full = torch.cat([part, part[:1].expand(short, *part.shape[1:])]) if short else part
                found = evaluator.run(None, {self.input: full.numpy()})[0]
                parts.append(torch.from_numpy(np.array(found))[: len(part)])
        return torch.cat(parts)


class _Node:
    """One node of the file, in plain words."""

    def __init__(self, kind: str, where: str, inputs: list[str], attributes: Mapping[str, Any]) -> None:
        self.kind, self.where, self.inputs, self.attributes = kind, where, inputs, attributes

    def text(self, name: str, default: str) -> str:
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)


@contextmanager
def _silent() -> Iterator[None]:
    """Without the reference evaluator's own warnings."""
    logger = logging.getLogger("onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with quiet(), np.errstate(all="ignore"):
            yield
    finally:
        logger.setLevel(before)


_Handler = Callable[[_Conversion, _Node], str]


def _plain(op: str, **attrs: Any) -> _Handler:
    return lambda work, node: work.builder.add(op, [work.read(node.inputs[0])], attrs, name=node.kind)


def _binary(op: str) -> _Handler:
    def make(work: _Conversion, node: _Node) -> str:
        return work.builder.add(op, [work.read(name) for name in node.inputs], name=node.kind)

    return make


def _identity(work: _Conversion, node: _Node) -> str:
    return work.read(node.inputs[0])


def _windows(work: _Conversion, node: _Node, kernel: Sequence[int]) -> dict[str, list[int]]:
    """Strides, dilations, and padding as (left, right, top, bottom)."""
    stride = [int(one) for one in node.attributes.get("strides", (1, 1))]
    dilation = [int(one) for one in node.attributes.get("dilations", (1, 1))]
    style = node.text("auto_pad", "NOTSET")
    if style in ("SAME_UPPER", "SAME_LOWER"):
        sides = []
        for size, width, step, spread in zip(
            work.shape(node.inputs[0])[2:], kernel, stride, dilation, strict=True
        ):
            total = max((-(-size // step) - 1) * step + (width - 1) * spread + 1 - size, 0)
            small, large = total // 2, total - total // 2
            sides.append((small, large) if style == "SAME_UPPER" else (large, small))
        (top, bottom), (left, right) = sides
    else:
        given = [0] * 4 if style == "VALID" else [int(one) for one in node.attributes.get("pads", (0,) * 4)]
        top, left, bottom, right = given
    return {"stride": stride, "dilation": dilation, "pads": [left, right, top, bottom]}


def _in_front(work: _Conversion, name: str, pads: list[int], value: float | str) -> tuple[str, list[int]]:
    left, right, top, bottom = pads
    if left == right and top == bottom:
        return name, [top, left]
    return work.builder.add("pad", [name], {"pads": pads, "value": value}), [0, 0]


def _weight(work: _Conversion, node: _Node, position: int) -> np.ndarray[Any, Any]:
    found = work.known(node, position)
    if found is None:
        raise DataError(f"{work.request.path}: '{node.kind}' ({node.where}) lacks its weights")
    return found


def _conv(work: _Conversion, node: _Node) -> str:
    work.only_images(node)
    kernel = _weight(work, node, 1)
    bias = work.known(node, 2)
    windows = _windows(work, node, kernel.shape[2:])
    source, padding = _in_front(work, work.read(node.inputs[0]), windows["pads"], 0.0)
    groups = int(node.attributes.get("group", 1))
    attrs = {
        "in_channels": int(kernel.shape[1]) * groups,
        "out_channels": int(kernel.shape[0]),
        "kernel_size": [int(one) for one in kernel.shape[2:]],
        "stride": windows["stride"],
        "padding": padding,
        "dilation": windows["dilation"],
        "groups": groups,
        "bias": bias is not None,
    }
    weights = {"weight": kernel} | ({"bias": bias} if bias is not None else {})
    return work.builder.add("conv2d", [source], attrs, name=node.kind, weights=weights)


def _linear(
    work: _Conversion, source: str, weight: np.ndarray[Any, Any], bias: np.ndarray[Any, Any] | None, name: str
) -> str:
    attrs = {
        "in_features": int(weight.shape[1]),
        "out_features": int(weight.shape[0]),
        "bias": bias is not None,
    }
    weights = {"weight": weight} | ({"bias": bias} if bias is not None else {})
    return work.builder.add("linear", [source], attrs, name=name, weights=weights)


def _gemm(work: _Conversion, node: _Node) -> str:
    if node.attributes.get("transA", 0):
        raise UnsupportedModel(f"{work.request.path}: 'Gemm' ({node.where}) turns the batch round")
    weight = _weight(work, node, 1)
    weight = weight if node.attributes.get("transB", 0) else weight.T
    weight = weight * np.float32(node.attributes.get("alpha", 1.0))
    bias = work.known(node, 2)
    if bias is not None:
        bias = np.broadcast_to(bias * np.float32(node.attributes.get("beta", 1.0)), (weight.shape[0],))
    return _linear(work, work.read(node.inputs[0]), weight, bias, node.kind)


def _matmul(work: _Conversion, node: _Node) -> str:
    right = work.constants.get(node.inputs[1])
    if right is not None and right.ndim == 2 and node.inputs[0] in work.values:
        return _linear(work, work.read(node.inputs[0]), right.T, None, node.kind)
    return _binary("matmul")(work, node)


def _max_pool(work: _Conversion, node: _Node) -> str:
    work.only_images(node)
    kernel = [int(one) for one in node.attributes["kernel_shape"]]
    windows = _windows(work, node, kernel)
    pads = windows["pads"]
    left, _right, top, _bottom = pads
    # PyTorch pads pooling by half a window at most
    wide = 2 * top > kernel[0] or 2 * left > kernel[1]
    source = work.read(node.inputs[0])
    padding = [0, 0]
    if wide:
        source = work.builder.add("pad", [source], {"pads": pads, "value": "-inf"})
    else:
        source, padding = _in_front(work, source, pads, "-inf")
    attrs = {
        "kernel_size": kernel,
        "stride": windows["stride"],
        "padding": padding,
        "dilation": windows["dilation"],
        "ceil_mode": bool(node.attributes.get("ceil_mode", 0)),
    }
    return work.builder.add("max_pool2d", [source], attrs, name=node.kind)


def _avg_pool(work: _Conversion, node: _Node) -> str:
    work.only_images(node)
    kernel = [int(one) for one in node.attributes["kernel_shape"]]
    windows = _windows(work, node, kernel)
    if node.attributes.get("ceil_mode", 0) or windows["dilation"] != [1, 1]:
        raise UnsupportedModel(f"{work.request.path}: 'AveragePool' ({node.where}) with ceil_mode or dilations")
    attrs = {
        "kernel_size": kernel,
        "stride": windows["stride"],
        "padding": windows["pads"],
        "count_padding": bool(node.attributes.get("count_include_pad", 0)),
    }
    return work.builder.add("avg_pool2d", [work.read(node.inputs[0])], attrs, name=node.kind)


def _global_pool(op: str) -> _Handler:
    def make(work: _Conversion, node: _Node) -> str:
        dims = list(range(2, work.rank(node)))
        attrs = {"dims": dims, "keepdim": True}
        return work.builder.add(op, [work.read(node.inputs[0])], attrs, name=node.kind)

    return make


def _flatten(work: _Conversion, node: _Node) -> str:
    if int(node.attributes.get("axis", 1)) % work.rank(node) != 1:
        raise UnsupportedModel(f"{work.request.path}: 'Flatten' ({node.where}) joins the batch with the rest")
    size = int(np.prod(work.shape(node.inputs[0])[1:]))
    return work.builder.add("reshape", [work.read(node.inputs[0])], {"shape": [size]}, name=node.kind)


def _reshape(work: _Conversion, node: _Node) -> str:
    target = work.known(node, 1, "shape")
    sizes = work.shape(node.inputs[0])
    wanted = [int(one) for one in np.atleast_1d(target)] if target is not None else []
    if not node.attributes.get("allowzero", 0):
        wanted = [
            sizes[place] if size == 0 and place < len(sizes) else size for place, size in enumerate(wanted)
        ]
    rest = int(np.prod(sizes[1:]))
    # a model saved for one batch size has that number where the batch is
    starts_with_batch = bool(wanted) and wanted[0] in (-1, BATCH, *([work.batch] if work.batch else []))
    inner = wanted[1:]
    if inner.count(-1) == 1:
        others = int(np.prod([one for one in inner if one != -1]))
        inner[inner.index(-1)] = rest // max(others, 1)
    if not starts_with_batch or int(np.prod(inner)) != rest:
        raise UnsupportedModel(
            f"{work.request.path}: 'Reshape' ({node.where}) to {wanted} does not keep the batch apart",
            operation="Reshape",
        )
    return work.builder.add("reshape", [work.read(node.inputs[0])], {"shape": inner}, name=node.kind)


def _batch_norm(work: _Conversion, node: _Node) -> str:
    if node.attributes.get("training_mode", 0):
        raise UnsupportedModel(
            f"{work.request.path}: 'BatchNormalization' ({node.where}) is in training mode",
            hint="export the model after model.eval()",
        )
    scale, bias, mean, variance = (_weight(work, node, position) for position in range(1, 5))
    attrs = {
        "features": int(scale.shape[0]),
        "eps": round(float(node.attributes.get("epsilon", 1e-5)), 12),
        "momentum": round(1.0 - float(node.attributes.get("momentum", 0.9)), 6),
    }
    weights = {"weight": scale, "bias": bias, "running_mean": mean, "running_var": variance}
    return work.builder.add("batch_norm", [work.read(node.inputs[0])], attrs, name=node.kind, weights=weights)


def _layer_norm(work: _Conversion, node: _Node) -> str:
    scale, bias = _weight(work, node, 1), work.known(node, 2)
    rank = work.rank(node)
    inner = work.shape(node.inputs[0])[int(node.attributes.get("axis", -1)) % rank :]
    weights = {
        "weight": np.broadcast_to(scale, inner),
        "bias": np.zeros(inner, np.float32) if bias is None else np.broadcast_to(bias, inner),
    }
    attrs = {"shape": list(inner), "eps": round(float(node.attributes.get("epsilon", 1e-5)), 12)}
    return work.builder.add("layer_norm", [work.read(node.inputs[0])], attrs, name=node.kind, weights=weights)


def _softmax(op: str) -> _Handler:
    def make(work: _Conversion, node: _Node) -> str:
        rank = work.rank(node)
        dim = int(node.attributes.get("axis", -1 if work.opset >= 13 else 1)) % rank
        if work.opset < 13 and dim != rank - 1:
            raise UnsupportedModel(f"{work.request.path}: '{node.kind}' ({node.where}) over several dimensions")
        return work.builder.add(op, [work.read(node.inputs[0])], {"dim": dim}, name=node.kind)

    return make


def _transpose(work: _Conversion, node: _Node) -> str:
    rank = work.rank(node)
    dims = [int(one) for one in node.attributes.get("perm", range(rank)[::-1])]
    return work.builder.add("permute", [work.read(node.inputs[0])], {"dims": dims}, name=node.kind)


def _concat(work: _Conversion, node: _Node) -> str:
    dim = int(node.attributes["axis"])
    return work.builder.add("concat", [work.read(name) for name in node.inputs], {"dim": dim}, name=node.kind)


def _dropout(work: _Conversion, node: _Node) -> str:
    mode = work.known(node, 2)
    if mode is not None and bool(mode):
        raise UnsupportedModel(
            f"{work.request.path}: 'Dropout' ({node.where}) is in training mode",
            hint="export the model after model.eval()",
        )
    ratio = work.known(node, 1, "ratio")
    share = 0.5 if ratio is None else round(float(ratio), 6)
    return work.builder.add("dropout", [work.read(node.inputs[0])], {"p": share}, name=node.kind)


def _dims(work: _Conversion, node: _Node, position: int) -> list[int] | None:
    found = work.known(node, position, "axes")
    return [int(one) for one in np.atleast_1d(found)] if found is not None else None


def _squeeze(work: _Conversion, node: _Node) -> str:
    dims = _dims(work, node, 1)
    if dims is None:
        dims = [place for place, size in enumerate(work.shape(node.inputs[0])) if size == 1]
    return work.builder.add("squeeze", [work.read(node.inputs[0])], {"dims": dims}, name=node.kind)


def _unsqueeze(work: _Conversion, node: _Node) -> str:
    dims = _dims(work, node, 1) or []
    rank = work.rank(node) + len(dims)
    ordered = sorted(one % rank for one in dims)
    return work.builder.add("unsqueeze", [work.read(node.inputs[0])], {"dims": ordered}, name=node.kind)


def _reduce(op: str) -> _Handler:
    def make(work: _Conversion, node: _Node) -> str:
        dims = _dims(work, node, 1)
        rank = work.rank(node)
        chosen = sorted(one % rank for one in dims) if dims else list(range(rank))
        if 0 in chosen:
            raise UnsupportedModel(f"{work.request.path}: '{node.kind}' ({node.where}) mixes the batch")
        attrs = {"dims": chosen, "keepdim": bool(node.attributes.get("keepdims", 1))}
        return work.builder.add(op, [work.read(node.inputs[0])], attrs, name=node.kind)

    return make


def _pad(work: _Conversion, node: _Node) -> str:
    if node.text("mode", "constant") != "constant":
        raise UnsupportedModel(
            f"{work.request.path}: 'Pad' ({node.where}) in the mode '{node.text('mode', '')}'; only 'constant' "
            "is converted"
        )
    pads, rank = (
        _weight(work, node, 1).tolist() if len(node.inputs) > 1 else node.attributes["pads"],
        work.rank(node),
    )
    axes = _dims(work, node, 3) if len(node.inputs) > 3 else None
    places = [one % rank for one in axes] if axes is not None else list(range(rank))
    before, after = [0] * rank, [0] * rank
    for place, low, high in zip(places, pads[: len(places)], pads[len(places) :], strict=True):
        before[place], after[place] = int(low), int(high)
    found = work.known(node, 2, "value")
    value = 0.0 if found is None or found.size == 0 else float(found)
    if before[0] or after[0]:
        raise UnsupportedModel(f"{work.request.path}: 'Pad' ({node.where}) pads the batch")
    # PyTorch counts from the last dimension
    order = [one for place in range(rank - 1, 0, -1) for one in (before[place], after[place])]
    return work.builder.add("pad", [work.read(node.inputs[0])], {"pads": order, "value": value}, name=node.kind)


def _clip(work: _Conversion, node: _Node) -> str:
    low, high = work.known(node, 1, "min"), work.known(node, 2, "max")
    attrs = {
        "low": None if low is None or low.size == 0 else float(low),
        "high": None if high is None or high.size == 0 else float(high),
    }
    if attrs["low"] is None and attrs["high"] is None:
        return work.read(node.inputs[0])
    return work.builder.add("clip", [work.read(node.inputs[0])], attrs, name=node.kind)


def _leaky_relu(work: _Conversion, node: _Node) -> str:
    attrs = {"slope": round(float(node.attributes.get("alpha", 0.01)), 9)}
    return work.builder.add("leaky_relu", [work.read(node.inputs[0])], attrs, name=node.kind)


def _elu(work: _Conversion, node: _Node) -> str:
    attrs = {"alpha": round(float(node.attributes.get("alpha", 1.0)), 9)}
    return work.builder.add("elu", [work.read(node.inputs[0])], attrs, name=node.kind)


def _hard_sigmoid(work: _Conversion, node: _Node) -> str:
    attrs = {
        "slope": round(float(node.attributes.get("alpha", 0.2)), 9),
        "offset": round(float(node.attributes.get("beta", 0.5)), 9),
    }
    return work.builder.add("hard_sigmoid", [work.read(node.inputs[0])], attrs, name=node.kind)


def _gelu(work: _Conversion, node: _Node) -> str:
    attrs = {"approximate": node.text("approximate", "none")}
    return work.builder.add("gelu", [work.read(node.inputs[0])], attrs, name=node.kind)


def _power(work: _Conversion, node: _Node) -> str:
    exponent = work.known(node, 1)
    if exponent is None or exponent.size != 1:
        raise UnsupportedModel(f"{work.request.path}: 'Pow' ({node.where}) with more than one exponent")
    attrs = {"exponent": float(exponent.reshape(()))}
    return work.builder.add("power", [work.read(node.inputs[0])], attrs, name=node.kind)


def _prelu(work: _Conversion, node: _Node) -> str:
    slope = _weight(work, node, 1).reshape(-1)
    if slope.size not in (1, work.shape(node.inputs[0])[1]):
        raise UnsupportedModel(f"{work.request.path}: 'PRelu' ({node.where}) with a slope for each pixel")
    attrs = {"parameters": int(slope.size)}
    return work.builder.add(
        "prelu", [work.read(node.inputs[0])], attrs, name=node.kind, weights={"weight": slope}
    )


def _cast(work: _Conversion, node: _Node) -> str:
    if int(node.attributes["to"]) != work.onnx.TensorProto.FLOAT:
        raise UnsupportedModel(f"{work.request.path}: 'Cast' ({node.where}) to another type than float32")
    return work.read(node.inputs[0])


OPERATORS: dict[str, _Handler] = {
    "Add": _binary("add"),
    "AveragePool": _avg_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Div": _binary("div"),
    "Dropout": _dropout,
    "Elu": _elu,
    "Erf": _plain("erf"),
    "Exp": _plain("exp"),
    "Flatten": _flatten,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool("mean"),
    "GlobalMaxPool": _global_pool("max"),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _plain("hard_swish"),
    "Identity": _identity,
    "LayerNormalization": _layer_norm,
    "LeakyRelu": _leaky_relu,
    "LogSoftmax": _softmax("log_softmax"),
    "MatMul": _matmul,
    "Max": _binary("maximum"),
    "MaxPool": _max_pool,
    "Min": _binary("minimum"),
    "Mul": _binary("mul"),
    "Neg": _plain("negative"),
    "PRelu": _prelu,
    "Pad": _pad,
    "Pow": _power,
    "ReduceMax": _reduce("max"),
    "ReduceMean": _reduce("mean"),
    "Relu": _plain("relu"),
    "Reshape": _reshape,
    "Selu": _plain("selu"),
    "Sigmoid": _plain("sigmoid"),
    "Softmax": _softmax("softmax"),
    "Softplus": _plain("softplus"),
    "Softsign": _plain("softsign"),
    "Sqrt": _plain("sqrt"),
    "Squeeze": _squeeze,
    "Sub": _binary("sub"),
    "Tanh": _plain("tanh"),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""The operations that have a counterpart, and what makes it."""
