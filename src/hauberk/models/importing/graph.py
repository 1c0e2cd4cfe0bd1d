"""``GraphModule``: a network written down as data, so that it can be built again without anybody's code.

A network is a list of nodes in the order in which they run. Each names an operation out of ``OPERATIONS``,
the nodes it reads, and plain numbers from which its layers can be made with random weights; the weights come
from ``load_state_dict``. Nothing in the description is evaluated or imported.

    {"inputs": ["x"],
     "nodes": [{"name": "dense", "op": "linear", "inputs": ["x"],
                "attrs": {"in_features": 4, "out_features": 2}}],
     "output": "dense"}

Images are ``(n, c, h, w)``. Every tensor but a parameter or a constant starts with the batch.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.core.errors import DataError, check_known

_NODE_KEYS = ("name", "op", "inputs", "attrs")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ANY = -1  # as many inputs as there are, at least one
_RESERVED = frozenset(dir(nn.ModuleDict()))  # a layer must not take the place of a method

Pair = Sequence[int]


class _Apply(nn.Module):
    """A function without weights as a layer."""

    def __init__(self, function: Callable[..., Tensor], **settings: Any) -> None:
        super().__init__()
        self.function = function
        self.settings = settings

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs, **self.settings)

    def extra_repr(self) -> str:
        return ", ".join([self.function.__name__, *(f"{name}={one}" for name, one in self.settings.items())])


class _BatchNorm(nn.BatchNorm2d):
    """Batch norm over dimension 1 of whatever comes."""

    def _check_input_dim(self, input: Tensor) -> None:
        return


class _Parameter(nn.Module):
    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(tuple(shape)))

    def forward(self) -> Tensor:
        return self.value


class _Constant(nn.Module):
    value: Tensor

    def __init__(self, shape: Sequence[int], dtype: str) -> None:
        super().__init__()
        check_known([dtype], _DTYPES, what="dtype", where="a constant of the graph")
        self.register_buffer("value", torch.zeros(tuple(shape), dtype=_DTYPES[dtype]))

    def forward(self) -> Tensor:
        return self.value


_DTYPES = {"float32": torch.float32, "float64": torch.float64, "int64": torch.int64, "bool": torch.bool}


def _conv2d(
    *,
    in_channels: int,
    out_channels: int,
    kernel_size: Pair,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    bias: bool = True,
) -> nn.Module:
    return nn.Conv2d(
        in_channels,
        out_channels,
        _pair(kernel_size),
        _pair(stride),
        _pair(padding),
        _pair(dilation),
        groups,
        bias=bias,
    )


def _linear(*, in_features: int, out_features: int, bias: bool = True) -> nn.Module:
    return nn.Linear(in_features, out_features, bias=bias)


def _batch_norm(*, features: int, eps: float, momentum: float = 0.1) -> nn.Module:
    return _BatchNorm(features, eps=eps, momentum=momentum)


def _layer_norm(*, shape: Sequence[int], eps: float) -> nn.Module:
    return nn.LayerNorm(tuple(shape), eps=eps)


def _max_pool2d(
    *,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    ceil_mode: bool = False,
) -> nn.Module:
    return nn.MaxPool2d(_pair(kernel_size), _pair(stride), _pair(padding), _pair(dilation), ceil_mode=ceil_mode)


def _avg_pool2d(
    *, kernel_size: Pair, stride: Pair, padding: Sequence[int] = (0, 0, 0, 0), count_padding: bool = False
) -> nn.Module:
    if not any(padding):
        return nn.AvgPool2d(_pair(kernel_size), _pair(stride))
    return _Apply(
        _padded_average,
        kernel_size=_pair(kernel_size),
        stride=_pair(stride),
        padding=tuple(padding),
        count_padding=count_padding,
    )


def _padded_average(
    x: Tensor,
    *,
    kernel_size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, ...],
    count_padding: bool,
) -> Tensor:
    sums = F.avg_pool2d(F.pad(x, padding), kernel_size, stride)
    if count_padding:
        return sums
    # the share of each window that is inside the image
    inside = F.avg_pool2d(F.pad(torch.ones_like(x[:1, :1]), padding), kernel_size, stride)
    return sums / inside


def _pad(*, pads: Sequence[int], value: float | str = 0.0) -> nn.Module:
    # JSON has no infinity, which maximum pooling needs
    number = float("-inf") if value == "-inf" else float(value)
    return _Apply(F.pad, pad=tuple(pads), value=number)


def _scale(*, scale: Sequence[float], offset: Sequence[float], dim: int = 1) -> nn.Module:
    return _Scale(scale, offset, dim)


class _Scale(nn.Module):
    """``x * scale + offset`` with fixed numbers, one or one per entry of dimension ``dim``."""

    scale: Tensor
    offset: Tensor

    def __init__(self, scale: Sequence[float], offset: Sequence[float], dim: int) -> None:
        super().__init__()
        self.dim = dim
        # not in the state: they stand in the description
        for name, numbers in (("scale", scale), ("offset", offset)):
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.float32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        shape = [1] * x.ndim
        shape[self.dim] = -1
        return x * self.scale.view(shape) + self.offset.view(shape)


def _keep_batch(x: Tensor, *, shape: tuple[int, ...]) -> Tensor:
    return x.reshape(x.shape[0], *shape)


def _permuted(x: Tensor, *, dims: tuple[int, ...]) -> Tensor:
    return x.permute(dims)


def _squeezed(x: Tensor, *, dims: tuple[int, ...]) -> Tensor:
    return x.squeeze(dims)


def _unsqueezed(x: Tensor, *, dims: tuple[int, ...]) -> Tensor:
    for dim in dims:
        x = x.unsqueeze(dim)
    return x


def _mean_of(x: Tensor, *, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    return x.mean(dims, keepdim=keepdim)


def _max_of(x: Tensor, *, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    return x.amax(dims, keepdim=keepdim)


def _clipped(x: Tensor, *, low: float | None, high: float | None) -> Tensor:
    return x.clamp(low, high)


def _hard_sigmoid_of(x: Tensor, *, slope: float, offset: float) -> Tensor:
    return (x * slope + offset).clamp(0.0, 1.0)


def _raised(x: Tensor, *, exponent: float) -> Tensor:
    return x**exponent


def _joined(*inputs: Tensor, dim: int) -> Tensor:
    return torch.cat(inputs, dim)


def _two_logits_of(x: Tensor) -> Tensor:
    # softmax([0, z]) is [1 - sigmoid(z), sigmoid(z)]
    return torch.cat([torch.zeros_like(x), x], dim=1)


def _fold(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., nn.Module]:
    def all_of(first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = function(first, other)
        return first

    all_of.__name__ = function.__name__
    return lambda: _Apply(all_of)


def _plain(function: Callable[..., Tensor]) -> Callable[..., nn.Module]:
    return lambda: _Apply(function)


def _reduce(function: Callable[..., Tensor]) -> Callable[..., nn.Module]:
    def make(*, dims: Sequence[int], keepdim: bool) -> nn.Module:
        return _Apply(function, dims=tuple(dims), keepdim=keepdim)

    return make


def _by_dims(function: Callable[..., Tensor]) -> Callable[..., nn.Module]:
    def make(*, dims: Sequence[int]) -> nn.Module:
        return _Apply(function, dims=tuple(dims))

    return make


def _by_dim(function: Callable[..., Tensor]) -> Callable[..., nn.Module]:
    def make(*, dim: int) -> nn.Module:
        return _Apply(function, dim=dim)

    return make


def _reshape(*, shape: Sequence[int]) -> nn.Module:
    return _Apply(_keep_batch, shape=tuple(shape))


def _clip(*, low: float | None = None, high: float | None = None) -> nn.Module:
    return _Apply(_clipped, low=low, high=high)


def _gelu(*, approximate: str = "none") -> nn.Module:
    return nn.GELU(approximate)


def _leaky_relu(*, slope: float) -> nn.Module:
    return nn.LeakyReLU(slope)


def _elu(*, alpha: float = 1.0) -> nn.Module:
    return nn.ELU(alpha)


def _hard_sigmoid(*, slope: float = 1 / 6, offset: float = 0.5) -> nn.Module:
    return _Apply(_hard_sigmoid_of, slope=slope, offset=offset)


def _power(*, exponent: float) -> nn.Module:
    return _Apply(_raised, exponent=exponent)


def _dropout(*, p: float) -> nn.Module:
    return nn.Dropout(p)


def _spatial_dropout(*, p: float) -> nn.Module:
    return nn.Dropout2d(p)


def _prelu(*, parameters: int) -> nn.Module:
    return nn.PReLU(parameters)


def _upsample(*, factors: Pair) -> nn.Module:
    return nn.Upsample(scale_factor=tuple(float(one) for one in factors), mode="nearest")


def _parameter(*, shape: Sequence[int]) -> nn.Module:
    return _Parameter(shape)


def _constant(*, shape: Sequence[int], dtype: str = "float32") -> nn.Module:
    return _Constant(shape, dtype)


OPERATIONS: dict[str, tuple[Callable[..., nn.Module], int]] = {
    "add": (_fold(torch.add), _ANY),
    "avg_pool2d": (_avg_pool2d, 1),
    "batch_norm": (_batch_norm, 1),
    "clip": (_clip, 1),
    "concat": (_by_dim(_joined), _ANY),
    "constant": (_constant, 0),
    "conv2d": (_conv2d, 1),
    "div": (_fold(torch.div), 2),
    "dropout": (_dropout, 1),
    "elu": (_elu, 1),
    "erf": (_plain(torch.erf), 1),
    "exp": (_plain(torch.exp), 1),
    "gelu": (_gelu, 1),
    "hard_sigmoid": (_hard_sigmoid, 1),
    "hard_swish": (nn.Hardswish, 1),
    "identity": (nn.Identity, 1),
    "layer_norm": (_layer_norm, 1),
    "leaky_relu": (_leaky_relu, 1),
    "linear": (_linear, 1),
    "log_softmax": (_by_dim(torch.log_softmax), 1),
    "matmul": (_fold(torch.matmul), 2),
    "max": (_reduce(_max_of), 1),
    "max_pool2d": (_max_pool2d, 1),
    "maximum": (_fold(torch.maximum), _ANY),
    "mean": (_reduce(_mean_of), 1),
    "minimum": (_fold(torch.minimum), _ANY),
    "mul": (_fold(torch.mul), _ANY),
    "negative": (_plain(torch.neg), 1),
    "pad": (_pad, 1),
    "parameter": (_parameter, 0),
    "permute": (_by_dims(_permuted), 1),
    "power": (_power, 1),
    "prelu": (_prelu, 1),
    "relu": (nn.ReLU, 1),
    "reshape": (_reshape, 1),
    "scale": (_scale, 1),
    "selu": (nn.SELU, 1),
    "sigmoid": (nn.Sigmoid, 1),
    "silu": (nn.SiLU, 1),
    "softmax": (_by_dim(torch.softmax), 1),
    "softplus": (nn.Softplus, 1),
    "softsign": (nn.Softsign, 1),
    "spatial_dropout": (_spatial_dropout, 1),
    "sqrt": (_plain(torch.sqrt), 1),
    "squeeze": (_by_dims(_squeezed), 1),
    "sub": (_fold(torch.sub), 2),
    "tanh": (nn.Tanh, 1),
    "two_logits": (_plain(_two_logits_of), 1),
    "unsqueeze": (_by_dims(_unsqueezed), 1),
    "upsample": (_upsample, 1),
}
"""What a node may do: how its layer is made from ``attrs``, and how many inputs it reads."""


def make_layer(op: str, attrs: Mapping[str, Any], where: str) -> nn.Module:
    """The layer of one node, with random weights.

    Raises:
        UnknownName: no such operation, or no such attribute.
        DataError: an attribute is missing or makes no sense.
    """
    check_known([op], OPERATIONS, what="operation", where=where)
    maker, _count = OPERATIONS[op]
    settings = {} if inspect.isclass(maker) else inspect.signature(maker).parameters
    check_known(attrs, settings, what="attribute", where=where)
    try:
        return maker(**attrs)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise DataError(f"{where} ({op}): {str(error).splitlines()[0]}") from error


def fit_name(wanted: str) -> str:
    """The nearest name that a node may have."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", wanted).strip("_") or "node"
    if not name[0].isalpha():
        name = f"n{name}"
    return f"{name}_" if name in _RESERVED else name


def _pair(values: Sequence[int]) -> tuple[int, int]:
    first, second = values
    return int(first), int(second)


class GraphModule(nn.Module):
    """A network from its description; see the module's text for the form.

    Args:
        inputs: the name of the one input, in a list.
        nodes: in the order in which they run.
        output: the node whose value is the result.

    Raises:
        UnknownName: an operation, key or node that does not exist.
        DataError: a description that cannot be built.
    """

    def __init__(self, *, inputs: Sequence[str], nodes: Sequence[Mapping[str, Any]], output: str) -> None:
        super().__init__()
        if len(inputs) != 1:
            raise DataError(f"a graph takes one input, this one names {len(inputs)}")
        self.layers = nn.ModuleDict()
        self._output = output
        self._input = inputs[0]
        steps: list[tuple[str, tuple[str, ...]]] = []
        known = {inputs[0]}
        for node in nodes:
            name, reads = self._add(node, known)
            known.add(name)
            steps.append((name, reads))
        check_known([output], known, what="node", where="the graph's output")
        self._steps = _with_ends(steps, output)

    def _add(self, node: Mapping[str, Any], known: set[str]) -> tuple[str, tuple[str, ...]]:
        if not isinstance(node, Mapping):
            raise DataError(f"a node of a graph is an object, got {type(node).__name__}")
        check_known(node, _NODE_KEYS, what="key", where="a node of the graph")
        name, op, reads = node.get("name"), node.get("op"), node.get("inputs", [])
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
            raise DataError(f"a node cannot be called {name!r}")
        if name in known:
            raise DataError(f"two nodes of the graph are called '{name}'")
        where = f"node '{name}'"
        check_known(reads, known, what="input", where=where)
        layer = make_layer(str(op), node.get("attrs", {}), where)
        count = OPERATIONS[str(op)][1]
        if (count == _ANY and not reads) or (count not in (_ANY, len(reads))):
            raise DataError(f"{where} ({op}) reads {len(reads)} inputs instead of {max(count, 1)}")
        self.layers[name] = layer
        return name, tuple(reads)

    def forward(self, x: Tensor) -> Tensor:
        """The output node's value for a batch."""
        values = {self._input: x}
        for name, reads, spent in self._steps:
            values[name] = self.layers[name](*[values[one] for one in reads])
            for one in spent:
                del values[one]
        return values[self._output]


def _with_ends(
    steps: Sequence[tuple[str, tuple[str, ...]]], output: str
) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Each step with the values that nobody reads after it, so that memory is given back early."""
    last: dict[str, int] = {}
    for number, (name, reads) in enumerate(steps):
        last[name] = number
        last |= dict.fromkeys(reads, number)
    last.pop(output, None)
    return [
        (name, reads, tuple(one for one, end in last.items() if end == number))
        for number, (name, reads) in enumerate(steps)
    ]
