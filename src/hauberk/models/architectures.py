"""Built-in networks. Each is a function of input shape and number of classes, known by a name."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.core.errors import ConfigError, check_known
from hauberk.models.scattering import scatter_linear

Shape = tuple[int, ...]

_SMALLEST_VALID = 10  # below this side, two unpadded 3x3 convolutions with pooling leave nothing
_GROUPS = 16  # of group norm (De et al. 2022)


class Contrast(nn.Module):
    """Stretches values about 0.5 and lets what leaves [0, 1] go on with a small slope.

    On near-binary images a stretch of ``1 / (1 - 2 eps)`` maps whatever an Linf attacker of radius eps can do
    to black or white pixels onto black or white again; only grey pixels stay in his hands. The slope beyond
    the ends keeps the gradient's sign, so nothing is hidden from gradient attacks.

    Args:
        factor: of the stretch, above 0.
    """

    slope = 0.01  # beyond the ends; small enough to change nothing, never zero

    def __init__(self, factor: float) -> None:
        super().__init__()
        if not factor > 0:
            raise ConfigError(f"contrast must be above 0, got {factor!r}")
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        stretched = (x - 0.5) * self.factor + 0.5
        return stretched.clamp(0, 1) * (1 - self.slope) + self.slope * stretched

    def extra_repr(self) -> str:
        return f"factor={self.factor:g}"


class Thermometer(nn.Module):
    """Each value as the row of levels that it reaches: ``(n, c, ...)`` to ``(n, c * levels, ...)`` of 0 and 1.

    The rows of one channel stay together. The steps are signs, so that stand-ins find them to bridge.

    Args:
        levels: evenly spaced inside of [0, 1], at least one.

    Source: Buckman, Roy, Raffel, Goodfellow: Thermometer encoding, ICLR 2018.
    """

    heights: Tensor

    def __init__(self, levels: int) -> None:
        super().__init__()
        if isinstance(levels, bool) or not isinstance(levels, int) or not 1 <= levels <= 256:
            raise ConfigError(f"thermometer must be a whole number of levels in [1, 256], got {levels!r}")
        self.levels = levels
        self.register_buffer("heights", (torch.arange(levels) + 0.5) / levels, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        above = x.unsqueeze(2) - self.heights.view(1, 1, -1, *[1] * (x.ndim - 2))
        return ((above.sign() + 1) / 2).flatten(1, 2)

    def extra_repr(self) -> str:
        return f"levels={self.levels}"


def cnn(
    shape: Shape,
    classes: int,
    *,
    channels: Sequence[int] = (32, 64),
    hidden: int = 64,
    padding: int | None = None,
    contrast: float = 1.0,
    thermometer: int = 0,
) -> nn.Module:
    """The tutorial's network: conv3x3, max-pool, conv3x3, max-pool, dense, dense.

    Args:
        contrast: above 1 puts a ``Contrast`` layer in front, for inputs in [0, 1].
        thermometer: above 0 puts a ``Thermometer`` of so many levels in front, for inputs in [0, 1].
        channels: filters of the two convolutions.
        hidden: units of the first dense layer.
        padding: 0 as in the tutorial, 1 keeps the size; None means 0 where the image is large enough.
    """
    depth, height, width = _image(shape, "cnn")
    if padding is None:
        padding = 0 if min(height, width) >= _SMALLEST_VALID else 1
    first, second = channels

    def shrunk(size: int) -> int:
        for _ in range(2):
            size = (size - 2 + 2 * padding) // 2
        return size

    if min(shrunk(height), shrunk(width)) < 1:
        raise ConfigError(f"cnn: images {height}x{width} are too small with padding {padding}")
    # Pooling before the ReLU gives the same function as after it, for a quarter of the ReLU's work.
    front: list[nn.Module] = [Contrast(contrast)] if contrast != 1.0 else []
    if thermometer:
        front.append(Thermometer(thermometer))
    return nn.Sequential(
        *front,
        nn.Conv2d(depth * (thermometer or 1), first, 3, padding=padding),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, padding=padding),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(second * shrunk(height) * shrunk(width), hidden),
        nn.ReLU(),
        nn.Linear(hidden, classes),
    )


def mlp(shape: Shape, classes: int, *, hidden: Sequence[int] = (256, 128)) -> nn.Module:
    """Dense layers with ReLU between; works for inputs of any shape."""
    sizes = [math.prod(shape), *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for inner, outer in itertools.pairwise(sizes):
        layers += [nn.Linear(inner, outer), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], classes))


class _PreActBlock(nn.Module):
    """A norm and ReLU before each convolution (He et al., Identity mappings, ECCV 2016)."""

    def __init__(self, inner: int, outer: int, stride: int, dropout: float = 0.0, norm: str = "batch") -> None:
        super().__init__()
        self.norm_1 = _norm(norm, inner)
        self.conv_1 = nn.Conv2d(inner, outer, 3, stride=stride, padding=1, bias=False)
        self.norm_2 = _norm(norm, outer)
        self.dropout = nn.Dropout(dropout)
        self.conv_2 = nn.Conv2d(outer, outer, 3, padding=1, bias=False)
        self.shortcut: nn.Module | None = None
        if stride != 1 or inner != outer:
            self.shortcut = nn.Conv2d(inner, outer, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.norm_1(x))
        carried = x if self.shortcut is None else self.shortcut(active)
        out: Tensor = self.conv_1(active)
        out = self.conv_2(self.dropout(F.relu(self.norm_2(out))))
        return out + carried


def _residual(
    shape: Shape,
    classes: int,
    stem: int,
    widths: Sequence[int],
    blocks: Sequence[int],
    dropout: float,
    norm: str,
) -> nn.Module:
    """A stem, groups of pre-activation blocks each halving the size after the first, and a linear head."""
    layers: list[nn.Module] = [nn.Conv2d(shape[0], stem, 3, padding=1, bias=False)]
    inner = stem
    for group, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        for position in range(count):
            stride = 2 if group > 0 and position == 0 else 1
            layers.append(_PreActBlock(inner, width, stride, dropout, norm))
            inner = width
    head = [_norm(norm, inner), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inner, classes)]
    return nn.Sequential(*layers, *head)


def _norm(kind: str, channels: int) -> nn.Module:
    check_known([kind], ("batch", "group"), what="norm", where="the architecture")
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.GroupNorm(math.gcd(_GROUPS, channels), channels)


def preact_resnet18(shape: Shape, classes: int, *, norm: str = "batch") -> nn.Module:
    """Pre-activation ResNet-18 for images about 32x32 (3x3 stem, no early pooling).

    Args:
        norm: ``batch``, or ``group``, which does not mix the images of a batch and so suits private training.
    """
    _image(shape, "preact-resnet18")
    return _residual(shape, classes, 64, (64, 128, 256, 512), (2, 2, 2, 2), 0.0, norm)


def wide_resnet(
    shape: Shape, classes: int, *, depth: int = 28, width: int = 10, dropout: float = 0.0, norm: str = "batch"
) -> nn.Module:
    """WideResNet-depth-width for images about 32x32 (Zagoruyko and Komodakis, BMVC 2016).

    Args:
        norm: ``batch``, or ``group``, which does not mix the images of a batch and so suits private training.
    """
    _image(shape, "wide-resnet")
    if (depth - 4) % 6:
        raise ConfigError(f"wide-resnet: depth must be 6n + 4 (10, 16, 22, 28, ...), got {depth}")
    return _residual(
        shape, classes, 16, (16 * width, 32 * width, 64 * width), [(depth - 4) // 6] * 3, dropout, norm
    )


def _image(shape: Shape, name: str) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ConfigError(f"{name} takes images (channels, height, width), got {shape}")
    return shape[0], shape[1], shape[2]


ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "cnn": cnn,
    "mlp": mlp,
    "preact-resnet18": preact_resnet18,
    "scatter-linear": scatter_linear,
    "wide-resnet": wide_resnet,
}


def build(name: str, shape: Shape, classes: int, args: Mapping[str, Any] | None = None) -> nn.Module:
    """A fresh network with random weights (torch's global generator).

    Raises:
        UnknownName: no such architecture, or no such argument.
        ConfigError: arguments that do not fit the shape.
    """
    check_known([name], ARCHITECTURES, what="architecture", where="the model")
    maker = ARCHITECTURES[name]
    allowed = [one.name for one in inspect.signature(maker).parameters.values() if one.kind is one.KEYWORD_ONLY]
    check_known(args or {}, allowed, what="argument", where=f"architecture {name}")
    return maker(shape, classes, **(args or {}))
