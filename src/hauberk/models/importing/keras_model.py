"""Keras 3 models (``.keras``, and ``.h5`` of Keras 2 and 3), layer by layer into a ``GraphModule``.

Keras keeps images as (height, width, channel); PyTorch wants the channel first. Instead of turning images round
at every layer, each value is followed together with the order in which it is held: a convolution's result stays
channel-first, and where it is flattened the next dense layer's weights are reordered once, here.

The file's own description is read before Keras sees it, and what is not a plain layer is refused: ``Lambda``
layers, custom classes, and objects from other modules, through which a description can reach code. Keras then
loads it, runs on the torch backend, and gives the answers that the converted network must match.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hauberk.core.errors import ConfigError, DataError, DependencyMissing, IntegrityError, UnsupportedModel
from hauberk.models.importing import archive
from hauberk.models.importing.builder import Builder
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

_CHANNELS_FIRST = "channels_first"


@dataclass(frozen=True)
class _Value:
    """A tensor of the Keras model, and how it is held here.

    Args:
        name: the node.
        shape: in Keras' order, without the batch.
        held: ``plain`` as in Keras; ``images`` channel-first, where Keras has (h, w, c); ``flat`` such images
            flattened, so that Keras' entries stand in another order.
        image: ``(h, w, c)`` of what was flattened.
    """

    name: str
    shape: tuple[int, ...]
    held: str = "plain"
    image: tuple[int, ...] = ()


def import_keras(request: Request) -> ImportedModel:
    """A classifier from a Keras file.

    Raises:
        DependencyMissing: Keras or h5py is not installed.
        DataError: a file with weights only, or damaged.
        IntegrityError: a description that reaches for code.
        UnsupportedModel: a layer without counterpart, or answers that differ.
    """
    keras = _keras()
    model = _load(keras, request.path)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UnsupportedModel(
            f"{request.path} has {len(model.inputs)} inputs and {len(model.outputs)} outputs; a classifier has "
            "one of each"
        )
    conversion = _Conversion(keras, model, request)
    output = conversion.run()
    builder = conversion.builder
    logits, ending = take_off_ending(builder, output)
    module, args = builder.build(logits)
    images = request.probes(conversion.input_shape)
    with torch.no_grad(), quiet(), refused(f"{request.path}: Keras cannot run its own model"):
        seen = request.normalized(images)
        theirs = _answers(keras, model, conversion.as_keras_wants(seen))
        ours = ending.restore(module(seen))
    difference = largest_difference(ours, theirs, str(request.path))
    return finish(
        request,
        module,
        kind="keras",
        architecture={"name": "graph", "args": args},
        input_shape=conversion.input_shape,
        conversions=[*conversion.notes, *describe_ending(ending)],
        difference=difference,
        outputs="logits" if ending.name else None,
        extra_versions=("keras",),
    )


def _keras() -> Any:
    """Keras on the torch backend.

    Raises:
        DependencyMissing, ConfigError: it is not installed, or runs on another backend already.
    """
    loaded = sys.modules.get("keras")
    if loaded is None:
        before = os.environ.get("KERAS_BACKEND")
        os.environ["KERAS_BACKEND"] = "torch"
        try:
            with quiet():
                importlib.import_module("h5py")
                loaded = importlib.import_module("keras")
        except ImportError as error:
            raise DependencyMissing.extra("importing Keras models", "keras") from error
        finally:
            if before is None:
                del os.environ["KERAS_BACKEND"]
            else:
                os.environ["KERAS_BACKEND"] = before
    version = str(getattr(loaded, "__version__", "0"))
    if int(version.partition(".")[0]) < 3:
        raise DependencyMissing(
            f"importing Keras models needs Keras 3, found {version}", hint="pip install 'hauberk[keras]'"
        )
    backend = loaded.backend.backend()
    if backend != "torch":
        raise ConfigError(
            f"Keras was imported with the '{backend}' backend before; a process has one backend only",
            hint="set KERAS_BACKEND=torch before Keras is imported, or import the model in a fresh process",
        )
    return loaded


# What may stand in a model's description


def _load(keras: Any, path: Path) -> Any:
    is_zip = archive.kind_of(path) == "keras"
    config = _config_of_zip(path) if is_zip else _config_of_h5(path)
    _check_config(config, str(path))
    with quiet(), keras.device("cpu"), _readable(path, config, ".keras" if is_zip else ".h5") as readable:
        try:
            model = keras.saving.load_model(readable, compile=False, safe_mode=True)
        except Exception as error:  # whatever its layers raise
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UnsupportedModel(f"Keras cannot load {path}: {first[:300]}") from error
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise UnsupportedModel(f"{path}: only Sequential and functional models are converted")
    return model


@contextmanager
def _readable(path: Path, config: Any, suffix: str) -> Iterator[str]:
    """A path with the suffix by which Keras chooses its reader; very old descriptions are renewed."""
    newer = _with_input_layer(config) if suffix == ".h5" else None
    if newer is None and path.suffix == suffix:
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"model{suffix}"
        if newer is None:
            copy.symlink_to(path.resolve())
        else:
            shutil.copyfile(path, copy)
            with importlib.import_module("h5py").File(copy, "r+") as file:
                file.attrs["model_config"] = json.dumps(newer)
        yield str(copy)


def _with_input_layer(config: Any) -> Any:
    """A Sequential description in today's form; None where it is already.

    Until 2.2 Keras wrote the input's shape into the first layer only, which Keras 3 misreads.
    """
    if not isinstance(config, dict) or config.get("class_name") != "Sequential":
        return None
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    if not isinstance(layers, list) or not layers or not isinstance(layers[0], dict):
        return None
    first = layers[0]
    settings: dict[str, Any] = first.get("config") or {}
    shape = settings.get("batch_input_shape")
    if shape is None or first.get("class_name") == "InputLayer":
        return None
    start = {
        "class_name": "InputLayer",
        "config": {"batch_input_shape": shape, "dtype": "float32", "name": "input"},
    }
    name = inner.get("name", "sequential") if isinstance(inner, dict) else "sequential"
    rest = {
        **first,
        "config": {key: one for key, one in settings.items() if key != "batch_input_shape"},
    }
    return {**config, "config": {"name": name, "layers": [start, rest, *layers[1:]]}}


def _config_of_zip(path: Path) -> Any:
    with archive.opened(path) as zipped:
        config = archive.parse_foreign_json(archive.read_entry(zipped, "config.json"), f"{path} (config.json)")
        if "model.weights.h5" not in zipped.namelist():
            raise DataError(f"{path} lacks its weights (model.weights.h5)")
        with zipped.open("model.weights.h5") as weights:
            _refuse_links(weights, str(path))
    return config


def _config_of_h5(path: Path) -> Any:
    h5py = importlib.import_module("h5py")
    _refuse_links(path, str(path))
    with h5py.File(path, "r") as file:
        text = file.attrs.get("model_config")
    if text is None:
        raise DataError(
            f"{path} holds weights only, without the network",
            hint="save the whole model where it was made: model.save('model.keras')",
        )
    data = text if isinstance(text, bytes) else str(text).encode()
    return archive.parse_foreign_json(data, f"{path} (model_config)")


def _refuse_links(source: Any, where: str) -> None:
    """HDF5 can point at other files; a model has no reason to."""
    h5py = importlib.import_module("h5py")

    seen: set[int] = set()

    def visit(group: Any) -> None:
        place = h5py.h5o.get_info(group.id).addr
        if place in seen:  # groups can hold each other
            return
        seen.add(place)
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise IntegrityError(f"{where}: '{name}' points at another place instead of holding weights")
            one = group[name]
            if isinstance(one, h5py.Group):
                visit(one)
            elif getattr(one, "external", None) or getattr(one, "is_virtual", False):
                raise IntegrityError(f"{where}: '{name}' takes its values from another file")

    try:
        with h5py.File(source, "r") as file:
            visit(file)
    except (OSError, KeyError, RuntimeError) as error:
        raise DataError(f"{where} is damaged: {error}") from error


_CONTAINERS = ("Sequential", "Functional", "Model")
_HELPERS = frozenset(
    {
        *("__keras_tensor__", "__tuple__", "__numpy__", "TensorShape", "DTypePolicy", "Policy"),
        *("Zeros", "Ones", "Constant", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling"),
        *("GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform"),
        *("Orthogonal", "OrthogonalInitializer", "Identity", "IdentityInitializer"),
        *("L1", "L2", "L1L2", "MaxNorm", "NonNeg", "UnitNorm", "MinMaxNorm"),
    }
)
_DESCRIBED = frozenset({"class_name", "config"})


def _check_config(config: Any, where: str) -> None:
    """Refuse a description with anything but plain layers, before Keras acts on it.

    Raises:
        IntegrityError: a Lambda layer or a reference to code.
        UnsupportedModel: a layer without counterpart.
    """
    if isinstance(config, dict):  # optimizer and loss are not loaded, so they may be what they like
        config = {name: one for name, one in config.items() if name != "compile_config"}
    pending = [("the model", config)]
    while pending:
        name, one = pending.pop()
        if isinstance(one, list):
            pending += [(name, inner) for inner in one]
        if not isinstance(one, dict):
            continue
        if "class_name" in one:
            inner = one.get("config")
            if isinstance(inner, dict) and isinstance(inner.get("name"), str):
                name = inner["name"]
            _check_class(str(one["class_name"]), one, name, where)
        pending += [(name, inner) for inner in one.values()]


def _check_class(kind: str, one: Mapping[str, Any], name: str, where: str) -> None:
    if kind in ("Lambda", "__lambda__", "function", "__builtins__"):
        raise IntegrityError(
            f"{where}: '{name}' ({kind}) carries Python code, which is not run",
            hint="replace the Lambda by a plain layer where the model was made, and save it again",
        )
    module = one.get("module")
    foreign = module not in (None, "builtins") and str(module).partition(".")[0] not in ("keras", "tf_keras")
    if kind not in (*_CONTAINERS, *_HELPERS, *LAYERS) or foreign or ">" in str(one.get("registered_name")):
        origin = f" of {module}" if foreign else ""
        raise UnsupportedModel(
            f"{where}: layer '{name}' is a {kind}{origin}, which cannot be converted",
            hint=f"supported layers: {', '.join(sorted(LAYERS))}",
            layer=name,
            kind=kind,
        )


def _answers(keras: Any, model: Any, images: Tensor) -> Tensor:
    with keras.device("cpu"):
        found = model(images.numpy(), training=False)
    return torch.from_numpy(np.array(keras.ops.convert_to_numpy(found)))


# The conversion


class _Conversion:
    """One model on its way."""

    def __init__(self, keras: Any, model: Any, request: Request) -> None:
        self.keras, self.model, self.request = keras, model, request
        self.notes: list[str] = []
        self.met: set[str] = set()
        self.wanted = self._sizes(model.inputs[0].shape, "the input")
        self.input_shape, self._start = self._entry()
        self.builder = Builder(self.input_shape)

    def _sizes(self, shape: Sequence[int | None], what: str) -> tuple[int, ...]:
        sizes = tuple(shape[1:])
        if any(size is None for size in sizes):
            raise UnsupportedModel(
                f"{self.request.path}: {what} has no fixed size {sizes}",
                hint="save the model with a fixed input shape, such as Input((28, 28, 1))",
            )
        return tuple(int(size) for size in sizes if size is not None)

    def _entry(self) -> tuple[tuple[int, ...], str]:
        """The classifier's input shape, and how Keras sees it."""
        wanted, said = self.wanted, self.request.input_shape
        if len(wanted) == 3:
            shape = wanted if self._first_layer_is_channels_first() else (wanted[2], wanted[0], wanted[1])
            return self.request.agree_on_shape(shape), "plain" if shape is wanted else "images"
        if said is None or tuple(said) == wanted:
            return wanted, "plain"
        if len(said) == 3 and len(wanted) < 3 and np.prod(said) == np.prod(wanted):
            if len(wanted) == 2 and said[0] != 1 and (said[1], said[2] * said[0]) != wanted:
                raise ConfigError(f"{self.request.path} takes {wanted}, which images {said} do not fill")
            self.notes.append(f"images {said} are laid out as {wanted} first, in Keras' order")
            return tuple(said), "images"
        raise ConfigError(
            f"{self.request.path} takes inputs {wanted}, but input_shape={said} was given; sizes differ"
        )

    def _first_layer_is_channels_first(self) -> bool:
        for layer in self.model.layers:
            order = getattr(layer, "data_format", None)
            if order is not None:
                return bool(order == _CHANNELS_FIRST)
        return False

    def as_keras_wants(self, images: Tensor) -> Tensor:
        """A batch of the classifier's images in the order and shape of the Keras model."""
        if self._start == "images":
            images = images.permute(0, 2, 3, 1)
        return images.reshape(len(images), *self.wanted).contiguous()

    def run(self) -> str:
        """All layers; the node of the model's output, as Keras would have it."""
        if self._start == "images":
            channels, height, width = self.input_shape
            start = _Value(self.builder.input, (height, width, channels), "images")
            start = self.reshaped(start, self.wanted)
        else:
            start = _Value(self.builder.input, self.wanted)
        return self.plain(self._model(self.model, [start])).name

    def _model(self, model: Any, given: Sequence[_Value]) -> _Value:
        """The value of a model's output; the symbolic graph is walked without recursion over layers."""
        known = {id(tensor): value for tensor, value in zip(model.inputs, given, strict=True)}
        pending = [model.outputs[0]]
        seen: set[int] = set()
        while pending:
            tensor = pending[-1]
            if id(tensor) in known:
                pending.pop()
                continue
            layer, index, position = tensor._keras_history
            node = layer._inbound_nodes[index]
            missing = [one for one in node.input_tensors if id(one) not in known]
            if missing and id(tensor) not in seen:
                seen.add(id(tensor))
                pending += missing
                continue
            if missing or position != 0 or len(node.output_tensors) != 1:
                raise UnsupportedModel(f"{self.request.path}: layer '{layer.name}' has several outputs")
            known[id(tensor)] = self._layer(layer, [known[id(one)] for one in node.input_tensors])
            pending.pop()
        return known[id(model.outputs[0])]

    def _layer(self, layer: Any, inputs: list[_Value]) -> _Value:
        kind = type(layer).__name__
        if isinstance(layer, self.keras.Model):
            return self._model(layer, inputs)
        handler = LAYERS.get(kind)
        if handler is None or not type(layer).__module__.startswith("keras."):
            raise UnsupportedModel(
                f"{self.request.path}: layer '{layer.name}' is a {kind}, which cannot be converted",
                hint=f"supported layers: {', '.join(sorted(LAYERS))}",
                layer=layer.name,
                kind=kind,
            )
        if len(getattr(layer, "_inbound_nodes", ())) > 1 and layer.weights and layer.name in self.met:
            self.notes.append(f"layer '{layer.name}' was shared; its copies are independent now")
        self.met.add(layer.name)
        return handler(self, layer, inputs)

    # Orders

    def plain(self, value: _Value) -> _Value:
        """The same value held as Keras holds it."""
        if value.held == "plain":
            return value
        height, width, channels = value.image if value.held == "flat" else value.shape
        name = value.name
        if value.held == "flat":
            name = self.builder.add("reshape", [name], {"shape": [channels, height, width]})
        if 1 not in (channels, height * width):
            name = self.builder.add("permute", [name], {"dims": [0, 2, 3, 1]})
            if value.held == "flat":
                name = self.builder.add("reshape", [name], {"shape": list(value.shape)})
        else:  # turning it round moves nothing
            name = self.builder.add("reshape", [name], {"shape": list(value.shape)})
        return _Value(name, value.shape)

    def images(self, value: _Value, layer: Any) -> _Value:
        """The value held channel-first, whichever way the layer counts."""
        if len(value.shape) != 3:
            raise UnsupportedModel(
                f"{self.request.path}: layer '{layer.name}' gets {value.shape} instead of images"
            )
        if getattr(layer, "data_format", None) == _CHANNELS_FIRST:
            return self.plain(value)
        if value.held == "images":
            return value
        value = self.plain(value)
        height, width, channels = value.shape
        if 1 in (channels, height * width):
            name = self.builder.add("reshape", [value.name], {"shape": [channels, height, width]})
        else:
            name = self.builder.add("permute", [value.name], {"dims": [0, 3, 1, 2]})
        return _Value(name, value.shape, "images")

    def made(self, name: str, layer: Any) -> _Value:
        """A result of a layer on images, in the order in which ``images`` handed them over."""
        sizes = self.builder.shape(name)[1:]
        if getattr(layer, "data_format", None) == _CHANNELS_FIRST:
            return _Value(name, sizes)
        return _Value(name, (sizes[1], sizes[2], sizes[0]), "images")

    def reshaped(self, value: _Value, shape: tuple[int, ...]) -> _Value:
        """Another shape over the same entries in Keras' order."""
        if value.held == "flat" and shape == value.image:
            height, width, channels = shape
            name = self.builder.add("reshape", [value.name], {"shape": [channels, height, width]})
            return _Value(name, shape, "images")
        if value.held == "images" and len(shape) == 1:
            name = self.builder.add("reshape", [value.name], {"shape": list(shape)})
            height, width, channels = value.shape
            if 1 in (channels, height * width):
                return _Value(name, shape)
            return _Value(name, shape, "flat", value.shape)
        if value.shape == shape:
            return value
        value = self.plain(value)
        return _Value(self.builder.add("reshape", [value.name], {"shape": list(shape)}), shape)

    def same(self, value: _Value, op: str, attrs: Mapping[str, Any] | None = None, name: str = "") -> _Value:
        """An operation on each entry by itself, which keeps shape and order."""
        made = self.builder.add(op, [value.name], attrs, name=name or None)
        return _Value(made, value.shape, value.held, value.image)

    def activated(self, value: _Value, layer: Any, function: Any) -> _Value:
        """An activation function, by name; Keras allows a layer in its place."""
        if isinstance(function, self.keras.Layer):
            return self._layer(function, [value])
        if function is None:
            return value
        name = function if isinstance(function, str) else getattr(function, "__name__", "?")
        if name == "linear":
            return value
        if name in ("softmax", "log_softmax"):
            return self.softmax(value, name, -1, layer)
        if name not in _ACTIVATIONS:
            raise UnsupportedModel(
                f"{self.request.path}: layer '{layer.name}' has the activation '{name}', which has no "
                "counterpart",
                hint=f"supported: linear, softmax, log_softmax, {', '.join(sorted(_ACTIVATIONS))}",
            )
        op, attrs = _ACTIVATIONS[name]
        return self.same(value, op, attrs, f"{layer.name}_{name}")

    def softmax(self, value: _Value, op: str, axis: int, layer: Any) -> _Value:
        value = self.plain(value) if value.held == "flat" else value
        return self.same(value, op, {"dim": self.axis(value, axis)}, f"{layer.name}_{op}")

    def axis(self, value: _Value, axis: int) -> int:
        """Where an axis of the Keras tensor is here."""
        rank = len(value.shape) + 1
        axis = axis % rank
        if axis == 0:
            raise UnsupportedModel(f"{self.request.path}: a layer works along the batch")
        if value.held != "images":
            return axis
        return {1: 2, 2: 3, 3: 1}[axis]

    def alike(self, values: Sequence[_Value]) -> list[_Value]:
        """Values held in the same order, so that they can be put together."""
        if len({(one.held, one.image) for one in values}) == 1:
            return list(values)
        return [self.plain(one) for one in values]


_ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("relu", {}),
    "relu6": ("clip", {"low": 0.0, "high": 6.0}),
    "leaky_relu": ("leaky_relu", {"slope": 0.2}),  # Keras' default; PyTorch's is 0.01
    "elu": ("elu", {}),
    "selu": ("selu", {}),
    "gelu": ("gelu", {}),
    "silu": ("silu", {}),
    "swish": ("silu", {}),
    "sigmoid": ("sigmoid", {}),
    "hard_sigmoid": ("hard_sigmoid", {}),
    "hard_silu": ("hard_swish", {}),
    "hard_swish": ("hard_swish", {}),
    "tanh": ("tanh", {}),
    "softplus": ("softplus", {}),
    "softsign": ("softsign", {}),
    "exponential": ("exp", {}),
}

_Handler = Callable[[_Conversion, Any, list[_Value]], _Value]


def _array(variable: Any) -> np.ndarray[Any, Any]:
    return np.array(variable.value.detach().cpu().numpy())


def _pair(values: Any) -> tuple[int, int]:
    if isinstance(values, int):
        return values, values
    first, second = values
    return int(first), int(second)


def _same_padding(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int] = (1, 1)
) -> tuple[int, int, int, int]:
    """(left, right, top, bottom) that give ``ceil(size / stride)``; what is odd goes to the right and below."""
    sides: list[tuple[int, int]] = []
    for size, width, step, spread in zip(sizes, kernel, stride, dilation, strict=True):
        reach = (width - 1) * spread + 1
        total = max((-(-size // step) - 1) * step + reach - size, 0)
        sides.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = sides
    return left, right, top, bottom


def _padded(
    work: _Conversion, name: str, pads: Sequence[int], value: float | str = 0.0
) -> tuple[str, tuple[int, int]]:
    """Symmetric padding goes into the layer, other padding in front of it."""
    left, right, top, bottom = pads
    if left == right and top == bottom:
        return name, (top, left)
    return work.builder.add("pad", [name], {"pads": list(pads), "value": value}), (0, 0)


def _convolution(
    work: _Conversion,
    layer: Any,
    value: _Value,
    kernel: np.ndarray[Any, Any],
    bias: np.ndarray[Any, Any] | None,
    *,
    groups: int,
    name: str,
    stride: tuple[int, int],
) -> str:
    """``kernel`` is already (out, in / groups, h, w)."""
    value = work.images(value, layer)
    outer, inner, high, wide = kernel.shape
    dilation = _pair(layer.dilation_rate)
    pads: tuple[int, ...] = (0, 0, 0, 0)
    if layer.padding == "same":
        sizes = work.builder.shape(value.name)[2:]
        pads = _same_padding(sizes, (high, wide), stride, dilation)
    source, padding = _padded(work, value.name, pads)
    attrs = {
        "in_channels": inner * groups,
        "out_channels": outer,
        "kernel_size": [high, wide],
        "stride": list(stride),
        "padding": list(padding),
        "dilation": list(dilation),
        "groups": groups,
        "bias": bias is not None,
    }
    weights = {"weight": kernel} | ({"bias": bias} if bias is not None else {})
    return work.builder.add("conv2d", [source], attrs, name=name, weights=weights)


def _conv2d(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    kernel = _array(layer.kernel).transpose(3, 2, 0, 1)  # (h, w, in, out) -> (out, in, h, w)
    bias = _array(layer.bias) if layer.use_bias else None
    made = _convolution(
        work,
        layer,
        inputs[0],
        kernel,
        bias,
        groups=int(layer.groups),
        name=layer.name,
        stride=_pair(layer.strides),
    )
    return work.activated(work.made(made, layer), layer, layer.activation)


def _depthwise_kernel(kernel: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    high, wide, inner, multiplier = kernel.shape  # -> (in * multiplier, 1, h, w)
    return kernel.transpose(2, 3, 0, 1).reshape(inner * multiplier, 1, high, wide)


def _depthwise(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    kernel = _array(layer.kernel)
    made = _convolution(
        work,
        layer,
        inputs[0],
        _depthwise_kernel(kernel),
        _array(layer.bias) if layer.use_bias else None,
        groups=int(kernel.shape[2]),
        name=layer.name,
        stride=_pair(layer.strides),
    )
    return work.activated(work.made(made, layer), layer, layer.activation)


def _separable(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    depthwise = _array(layer.depthwise_kernel)
    made = _convolution(
        work,
        layer,
        inputs[0],
        _depthwise_kernel(depthwise),
        None,
        groups=int(depthwise.shape[2]),
        name=f"{layer.name}_depthwise",
        stride=_pair(layer.strides),
    )
    kernel = _array(layer.pointwise_kernel).transpose(3, 2, 0, 1)
    bias = _array(layer.bias) if layer.use_bias else None
    attrs = {
        "in_channels": int(kernel.shape[1]),
        "out_channels": int(kernel.shape[0]),
        "kernel_size": [1, 1],
        "bias": bias is not None,
    }
    weights = {"weight": kernel} | ({"bias": bias} if bias is not None else {})
    made = work.builder.add("conv2d", [made], attrs, name=f"{layer.name}_pointwise", weights=weights)
    return work.activated(work.made(made, layer), layer, layer.activation)


def _dense(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    value = inputs[0]
    if value.held == "images":
        value = work.plain(value)
    weight = _array(layer.kernel).T  # (in, out) -> (out, in)
    if value.held == "flat":
        height, width, channels = value.image
        order = np.arange(height * width * channels).reshape(height, width, channels).transpose(2, 0, 1)
        weight = weight[:, order.reshape(-1)]
    attrs = {
        "in_features": int(weight.shape[1]),
        "out_features": int(weight.shape[0]),
        "bias": bool(layer.use_bias),
    }
    weights = {"weight": weight} | ({"bias": _array(layer.bias)} if layer.use_bias else {})
    name = work.builder.add("linear", [value.name], attrs, name=layer.name, weights=weights)
    return work.activated(_Value(name, work.builder.shape(name)[1:]), layer, layer.activation)


def _flatten(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    value = inputs[0]
    if layer.data_format == _CHANNELS_FIRST and len(value.shape) == 3:
        # Keras turns such images round before it flattens them
        value = work.plain(value)
        channels, height, width = value.shape
        value = _Value(value.name, (height, width, channels), "images")
    return work.reshaped(value, (int(np.prod(value.shape)),))


def _reshape(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    value = inputs[0]
    shape = [int(one) for one in layer.target_shape]
    if -1 in shape:
        rest = int(np.prod([one for one in shape if one != -1]))
        shape[shape.index(-1)] = int(np.prod(value.shape)) // max(rest, 1)
    return work.reshaped(value, tuple(shape))


def _permute(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    value = work.plain(inputs[0])
    dims = [0, *(int(one) for one in layer.dims)]
    name = work.builder.add("permute", [value.name], {"dims": dims}, name=layer.name)
    return _Value(name, work.builder.shape(name)[1:])


def _pooling(kind: str) -> _Handler:
    def pool(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
        value = work.images(inputs[0], layer)
        kernel, stride = _pair(layer.pool_size), _pair(layer.strides)
        attrs: dict[str, Any] = {"kernel_size": list(kernel), "stride": list(stride)}
        source = value.name
        if layer.padding == "same":
            pads = _same_padding(work.builder.shape(source)[2:], kernel, stride)
            uneven = pads[0] != pads[1] or pads[2] != pads[3]
            if kind == "avg_pool2d" and uneven and max(kernel) > 2:
                raise UnsupportedModel(
                    f"{work.request.path}: layer '{layer.name}' averages over uneven 'same' padding, where "
                    "Keras' own backends answer differently; the file does not say which is meant",
                    layer=layer.name,
                )
            if kind == "avg_pool2d":
                attrs["padding"] = list(pads)
            elif any(pads):
                source = work.builder.add("pad", [source], {"pads": list(pads), "value": "-inf"})
        return work.made(work.builder.add(kind, [source], attrs, name=layer.name), layer)

    return pool


def _global_pooling(op: str) -> _Handler:
    def pool(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
        value = work.images(inputs[0], layer)
        keep = bool(layer.keepdims)
        name = work.builder.add(op, [value.name], {"dims": [2, 3], "keepdim": keep}, name=layer.name)
        return work.made(name, layer) if keep else _Value(name, work.builder.shape(name)[1:])

    return pool


def _batch_norm(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    value = inputs[0]
    if value.held == "flat":
        value = work.plain(value)
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    rank = len(value.shape) + 1
    if work.axis(value, axis) != 1:
        if rank == 4 and axis % rank == 3:
            value = work.images(value, None)
        else:
            raise UnsupportedModel(
                f"{work.request.path}: layer '{layer.name}' normalises along axis {axis} of {value.shape}; "
                "only the channels' axis is converted"
            )
    mean = _array(layer.moving_mean)
    weights = {
        "weight": _array(layer.gamma) if layer.scale else np.ones_like(mean),
        "bias": _array(layer.beta) if layer.center else np.zeros_like(mean),
        "running_mean": mean,
        "running_var": _array(layer.moving_variance),
    }
    attrs = {
        "features": len(mean),
        "eps": float(layer.epsilon),
        "momentum": round(
            1.0 - float(layer.momentum), 12
        ),  # Keras says how much is kept, PyTorch how much is new
    }
    name = work.builder.add("batch_norm", [value.name], attrs, name=layer.name, weights=weights)
    return _Value(name, value.shape, value.held)


def _dropout(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    return work.same(inputs[0], "dropout", {"p": float(layer.rate)}, layer.name)


def _spatial_dropout(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    value = work.images(inputs[0], layer)
    return work.same(value, "spatial_dropout", {"p": float(layer.rate)}, layer.name)


def _identity(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    if type(layer).__name__ not in ("InputLayer", "Activation", "Identity", "ActivityRegularization"):
        work.notes.append(
            f"layer '{layer.name}' ({type(layer).__name__}) acts in training only and was left out"
        )
    return inputs[0]


def _activation(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    return work.activated(inputs[0], layer, layer.activation)


def _relu(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    slope, threshold = float(layer.negative_slope or 0.0), float(layer.threshold or 0.0)
    ceiling = None if layer.max_value is None else float(layer.max_value)
    if threshold or (slope and ceiling is not None):
        raise UnsupportedModel(f"{work.request.path}: layer '{layer.name}' is a ReLU with a threshold")
    if slope:
        return work.same(inputs[0], "leaky_relu", {"slope": slope}, layer.name)
    if ceiling is not None:
        return work.same(inputs[0], "clip", {"low": 0.0, "high": ceiling}, layer.name)
    return work.same(inputs[0], "relu", None, layer.name)


def _leaky_relu(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    return work.same(inputs[0], "leaky_relu", {"slope": float(layer.negative_slope)}, layer.name)


def _elu(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    return work.same(inputs[0], "elu", {"alpha": float(layer.alpha)}, layer.name)


def _softmax(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    if not isinstance(layer.axis, int):
        raise UnsupportedModel(f"{work.request.path}: layer '{layer.name}' has a softmax over several axes")
    return work.softmax(inputs[0], "softmax", layer.axis, layer)


def _zero_padding(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    value = work.images(inputs[0], layer)
    (top, bottom), (left, right) = layer.padding
    pads = [int(one) for one in (left, right, top, bottom)]
    return work.made(work.builder.add("pad", [value.name], {"pads": pads}, name=layer.name), layer)


def _rescaling(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    scale, offset = (np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in (layer.scale, layer.offset))
    value = inputs[0]
    if scale.size == offset.size == 1:
        return work.same(value, "scale", {"scale": scale.tolist(), "offset": offset.tolist()}, layer.name)
    value = work.plain(value) if value.held == "flat" else value
    if scale.ndim > 1 or offset.ndim > 1:
        raise UnsupportedModel(f"{work.request.path}: layer '{layer.name}' rescales each pixel by its own")
    dim = work.axis(value, -1)
    attrs = {"scale": scale.tolist(), "offset": offset.tolist(), "dim": dim}
    return work.same(value, "scale", attrs, layer.name)


def _merge(op: str) -> _Handler:
    def merge(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
        ranks = {len(one.shape) for one in inputs}
        values = work.alike(inputs) if len(ranks) == 1 else [work.plain(one) for one in inputs]
        if len(ranks) > 1:
            raise UnsupportedModel(f"{work.request.path}: layer '{layer.name}' joins values of different ranks")
        name = work.builder.add(op, [one.name for one in values], name=layer.name)
        if type(layer).__name__ == "Average":
            scale = {"scale": [1.0 / len(values)], "offset": [0.0]}
            name = work.builder.add("scale", [name], scale, name=f"{layer.name}_mean")
        shape = tuple(int(size) for size in np.broadcast_shapes(*[one.shape for one in values]))
        return _Value(name, shape, values[0].held, values[0].image)

    return merge


def _concatenate(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    values = work.alike(inputs)
    if values[0].held == "flat":
        values = [work.plain(one) for one in values]
    dim = work.axis(values[0], int(layer.axis))
    name = work.builder.add("concat", [one.name for one in values], {"dim": dim}, name=layer.name)
    position = int(layer.axis) % (len(values[0].shape) + 1) - 1
    shape = list(values[0].shape)
    shape[position] = sum(one.shape[position] for one in values)
    return _Value(name, tuple(shape), values[0].held)


def _upsampling(work: _Conversion, layer: Any, inputs: list[_Value]) -> _Value:
    if layer.interpolation != "nearest":
        raise UnsupportedModel(
            f"{work.request.path}: layer '{layer.name}' enlarges by '{layer.interpolation}'; only 'nearest' is "
            "converted"
        )
    value = work.images(inputs[0], layer)
    factors = list(_pair(layer.size))
    return work.made(work.builder.add("upsample", [value.name], {"factors": factors}, name=layer.name), layer)


LAYERS: dict[str, _Handler] = {
    "Activation": _activation,
    "ActivityRegularization": _identity,
    "Add": _merge("add"),
    "AlphaDropout": _identity,
    "Average": _merge("add"),
    "AveragePooling2D": _pooling("avg_pool2d"),
    "BatchNormalization": _batch_norm,
    "BatchNormalizationV1": _batch_norm,
    "Concatenate": _concatenate,
    "Conv2D": _conv2d,
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "Dropout": _dropout,
    "ELU": _elu,
    "Flatten": _flatten,
    "GaussianDropout": _identity,
    "GaussianNoise": _identity,
    "GlobalAveragePooling2D": _global_pooling("mean"),
    "GlobalMaxPooling2D": _global_pooling("max"),
    "Identity": _identity,
    "InputLayer": _identity,
    "LeakyReLU": _leaky_relu,
    "MaxPooling2D": _pooling("max_pool2d"),
    "Maximum": _merge("maximum"),
    "Minimum": _merge("minimum"),
    "Multiply": _merge("mul"),
    "Permute": _permute,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "SeparableConv2D": _separable,
    "Softmax": _softmax,
    "SpatialDropout2D": _spatial_dropout,
    "Subtract": _merge("sub"),
    "UpSampling2D": _upsampling,
    "ZeroPadding2D": _zero_padding,
}
"""The layers that have a counterpart, and what makes it."""
