"""A classifier read for proving: its layers in float64, each with a bound on what rounding can do in it.

The certificate is about the network as it is executed, not about ideal arithmetic. A sum of k products in
floating point, in whatever order, is off by at most ``k u / (1 - k u)`` times the sum of their absolute values
(Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), u being 2**-24 for float32. Every layer
that rounds widens its bounds by that, with three float64 units on top: one for the forward bounds computed
here, one for the backward pass, one for what either does to constants.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.core.errors import UnsupportedModel
from hauberk.evaluation.certify.box import Box
from hauberk.models import Classifier
from hauberk.models.architectures import Contrast
from hauberk.models.classifier import Normalization

_UNITS = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}
_FEW = 16  # roundings in one value of a normalisation, batch norm or contrast layer, generously
_HINT = "known: chains of linear, conv, ReLU, pooling, flatten, batch-norm and leading contrast layers"

Shape = tuple[int, ...]


class Layer(ABC):
    """One step of the network on boxes; ``shape`` is that of what it takes, without the batch."""

    shape: Shape

    @abstractmethod
    def forward(self, box: Box) -> Box:
        """A box that holds what the layer, as executed, answers on ``box``."""


class Affine(Layer):
    """``x -> W x + b``, off by at most ``drift(box)`` as executed."""

    growth: float  # the share of the absolute sum by which rounding may change an answer

    @abstractmethod
    def apply(self, x: Tensor) -> Tensor:
        """``W x + b``."""

    @abstractmethod
    def spread(self, x: Tensor) -> Tensor:
        """``|W| x``."""

    @abstractmethod
    def sizes(self) -> Tensor:
        """``|b|``, to broadcast against answers."""

    @abstractmethod
    def back(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """``rows`` ``(n, r, *out)`` times W: ``(n, r, *shape)``; and times b: ``(n, r)``."""

    def drift(self, box: Box) -> Tensor:
        return self.growth * (self.spread(box.largest) + self.sizes())

    def forward(self, box: Box) -> Box:
        middle, radius = self.apply(box.middle), self.spread(box.radius) + self.drift(box)
        return Box(middle - radius, middle + radius)


@dataclass(frozen=True, eq=False)
class Dense(Affine):
    shape: Shape
    weight: Tensor
    bias: Tensor
    growth: float

    def apply(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def spread(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.abs())

    def sizes(self) -> Tensor:
        return self.bias.abs()

    def back(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return rows @ self.weight, rows @ self.bias


@dataclass(frozen=True, eq=False)
class Convolution(Affine):
    """Also average pooling: a convolution of each channel with equal weights."""

    shape: Shape
    weight: Tensor
    bias: Tensor
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    growth: float

    def _slide(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def apply(self, x: Tensor) -> Tensor:
        return self._slide(x, self.weight, self.bias)

    def spread(self, x: Tensor) -> Tensor:
        return self._slide(x, self.weight.abs(), None)

    def sizes(self) -> Tensor:
        return self.bias.abs()[:, None, None]

    def back(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        kernel = self.weight.shape[2:]
        lost = [  # what the sliding window did not reach at the far edges
            size - ((out - 1) * step - 2 * pad + gap * (reach - 1) + 1)
            for size, out, step, pad, gap, reach in zip(
                self.shape[1:], rows.shape[3:], self.stride, self.padding, self.dilation, kernel, strict=True
            )
        ]
        flat = F.conv_transpose2d(
            rows.flatten(0, 1), self.weight, None, self.stride, self.padding, lost, self.groups, self.dilation
        )
        return flat.view(*rows.shape[:2], *self.shape), torch.einsum("nrchw,c->nr", rows, self.bias)


@dataclass(frozen=True, eq=False)
class Scale(Affine):
    """One factor and shift per channel: batch norm and normalisation."""

    shape: Shape
    factor: Tensor  # (channels, 1, 1) or (features,)
    shift: Tensor
    size: Tensor  # |shift| as a sum of the absolute values that it is computed from
    growth: float

    def apply(self, x: Tensor) -> Tensor:
        return x * self.factor + self.shift

    def spread(self, x: Tensor) -> Tensor:
        return x * self.factor.abs()

    def sizes(self) -> Tensor:
        return self.size

    def back(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return rows * self.factor, (rows * self.shift).flatten(2).sum(2)


@dataclass(frozen=True, eq=False)
class Stretch(Layer):
    """A ``Contrast`` layer: never falling, so its ends are the images of the ends."""

    shape: Shape
    factor: float
    slope: float
    growth: float

    def forward(self, box: Box) -> Box:
        drift = self.growth * (self.factor * (box.largest + 0.5) + 1.0)
        return Box(self._at(box.lower) - drift, self._at(box.upper) + drift)

    def _at(self, x: Tensor) -> Tensor:
        stretched = (x - 0.5) * self.factor + 0.5
        return stretched.clamp(0, 1) * (1 - self.slope) + self.slope * stretched


@dataclass(frozen=True, eq=False)
class Relu(Layer):
    """Exact in floating point."""

    shape: Shape

    def forward(self, box: Box) -> Box:
        return Box(box.lower.clamp_min(0), box.upper.clamp_min(0))


@dataclass(frozen=True, eq=False)
class MaxPool(Layer):
    """Exact in floating point."""

    shape: Shape
    kernel: tuple[int, int]
    stride: tuple[int, int]

    def forward(self, box: Box) -> Box:
        return Box(*(F.max_pool2d(one, self.kernel, self.stride) for one in (box.lower, box.upper)))


@dataclass(frozen=True, eq=False)
class Flatten(Layer):
    shape: Shape

    def forward(self, box: Box) -> Box:
        return Box(box.lower.flatten(1), box.upper.flatten(1))


def read(classifier: Classifier) -> list[Layer]:
    """The layers in the order in which an image passes them, on the CPU.

    Raises:
        UnsupportedModel: names the first layer that has no bounds here.
    """
    if len(classifier.defences):
        part = getattr(classifier.defences[0], "name", "a part")
        raise UnsupportedModel(
            f"bounds cannot see through {part}, which stands around the network",
            hint="certify the network without it; a smoothed model has method smoothing",
        )
    if classifier.dtype not in _UNITS:
        raise UnsupportedModel(f"certificates need weights in float32 or float64, these are {classifier.dtype}")
    reader = _Reader(_UNITS[classifier.dtype] + 3 * 2.0**-53, classifier.input_shape)
    layers = list(reader.modules(classifier.normalization, "normalization")) if classifier.normalization else []
    layers += reader.modules(classifier.module, "")
    if not layers or not isinstance(layers[-1], Dense):
        raise UnsupportedModel("bounds need a network that ends in a linear layer")
    return layers


class _Reader:
    """Follows the shape through the layers."""

    def __init__(self, unit: float, shape: Shape) -> None:
        self.unit, self.shape = unit, shape

    def modules(self, module: nn.Module, name: str) -> Iterator[Layer]:
        if type(module) is nn.Sequential:
            for key, inner in module.named_children():
                yield from self.modules(inner, f"{name}.{key}" if name else key)
            return
        if type(module) in (nn.Identity, nn.Dropout, nn.Dropout2d):
            return
        layer = self._layer(module)
        if layer is None:
            where = f"layer {name}, " if name else ""
            raise UnsupportedModel(
                f"bounds cannot be propagated through {where}{f'{module}'.splitlines()[0]}", hint=_HINT
            )
        answer = layer.forward(Box.at(torch.zeros((1, *self.shape), dtype=torch.float64)))
        self.shape = tuple(answer.lower.shape[1:])
        yield layer

    def _layer(self, module: nn.Module) -> Layer | None:
        kind = type(module)
        if kind is nn.Linear and len(self.shape) == 1:
            return self._dense(module)  # type: ignore[arg-type]
        if kind is nn.Conv2d and len(self.shape) == 3:
            return self._convolution(module)  # type: ignore[arg-type]
        if kind in (nn.AvgPool2d, nn.AdaptiveAvgPool2d) and len(self.shape) == 3:
            return self._average(module)
        if kind in (nn.BatchNorm1d, nn.BatchNorm2d):
            return self._norm(module)  # type: ignore[arg-type]
        if kind is Normalization:
            return self._normalization(module)  # type: ignore[arg-type]
        if kind is Contrast:
            return Stretch(self.shape, module.factor, module.slope, self._growth(_FEW))  # type: ignore[arg-type]
        if kind is nn.ReLU:
            return Relu(self.shape)
        if isinstance(module, nn.MaxPool2d) and kind is nn.MaxPool2d:
            plain = (module.padding, module.dilation) in ((0, 1), ((0, 0), (1, 1)))
            if not plain or module.ceil_mode or module.return_indices:
                return None
            return MaxPool(self.shape, _pair(module.kernel_size), _pair(module.stride))
        if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1):
            return Flatten(self.shape)
        return None

    def _growth(self, terms: int) -> float:
        off = (terms + 2) * self.unit
        if off >= 0.5:
            raise UnsupportedModel(f"a sum of {terms} terms is too long for sound bounds in this precision")
        return off / (1 - off)

    def _dense(self, module: nn.Linear) -> Dense:
        weight = _double(module.weight)
        bias = weight.new_zeros(len(weight)) if module.bias is None else _double(module.bias)
        return Dense(self.shape, weight, bias, self._growth(max(weight.shape)))

    def _convolution(self, module: nn.Conv2d) -> Convolution | None:
        if module.padding_mode != "zeros" or isinstance(module.padding, str):
            return None
        weight = _double(module.weight)
        bias = weight.new_zeros(len(weight)) if module.bias is None else _double(module.bias)
        terms = max(weight[0].numel(), weight[:, 0].numel())  # of a sum forward, and of one backward
        return Convolution(
            self.shape,
            weight,
            bias,
            _pair(module.stride),
            _pair(module.padding),
            _pair(module.dilation),
            module.groups,
            self._growth(terms),
        )

    def _average(self, module: nn.Module) -> Convolution | None:
        if isinstance(module, nn.AvgPool2d):
            if module.ceil_mode or not module.count_include_pad or module.divisor_override is not None:
                return None
            kernel, stride, padding = _pair(module.kernel_size), _pair(module.stride), _pair(module.padding)
        else:
            if getattr(module, "output_size", None) not in (1, (1, 1)):
                return None
            kernel, stride, padding = (self.shape[1], self.shape[2]), (1, 1), (0, 0)
        channels, area = self.shape[0], kernel[0] * kernel[1]
        weight = torch.full((channels, 1, *kernel), 1 / area, dtype=torch.float64)
        bias = torch.zeros(channels, dtype=torch.float64)
        growth = self._growth(area + 1)
        return Convolution(self.shape, weight, bias, stride, padding, (1, 1), channels, growth)

    def _norm(self, module: nn.BatchNorm1d | nn.BatchNorm2d) -> Scale | None:
        if module.running_mean is None or module.running_var is None:
            return None
        factor = (_double(module.running_var) + module.eps).rsqrt()
        if module.weight is not None:
            factor = factor * _double(module.weight)
        offset = torch.zeros_like(factor) if module.bias is None else _double(module.bias)
        moved = _double(module.running_mean) * factor
        return self._scale(factor, offset - moved, offset.abs() + moved.abs())

    def _normalization(self, module: Normalization) -> Scale:
        factor = 1 / _double(module.std)
        moved = _double(module.mean) * factor
        return self._scale(factor.flatten(), -moved.flatten(), moved.abs().flatten())

    def _scale(self, *columns: Tensor) -> Scale:
        shape = (-1, *([1] * (len(self.shape) - 1)))
        factor, shift, size = (one.view(shape) for one in columns)
        return Scale(self.shape, factor, shift, size, self._growth(_FEW))


def _double(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().double().contiguous()


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
