"""Spectral norms: no layer may stretch its input by more than a limit, so the whole cannot jump."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hauberk.core.errors import UnsupportedModel
from hauberk.core.seeds import derive_seed
from hauberk.core.settings import require_count, require_positive
from hauberk.defenses.defense import TrainingDefense
from hauberk.models import Classifier
from hauberk.models.training import Plain, TrainingPlan
from hauberk.threats import ThreatModel

_TINY = 1e-12
_LINEAR = (nn.Linear, nn.modules.conv._ConvNd)


@dataclass(frozen=True, kw_only=True)
class SpectralNorm(TrainingDefense):
    """Further training in which each layer's spectral norm is brought back to ``limit`` after every step.

    Linear layers and convolutions are scaled down where they stretch more, a convolution as the operator it is
    on its own input (its padding and stride included), not as a reshaped matrix. Batch norm's channel factors
    are cut to the limit as well. The weights stay ordinary weights.

    Args:
        limit: the most by which a layer may stretch its input, in L2.
        iterations: of power iteration at each step, from a fixed random start; few of them underestimate a
            norm by some percent, and the limit is kept to that precision.

    Cost: ``2 * iterations`` passes of one image more for each step.
    Limits: the product of the layers' norms bounds how fast logits can change, but the bound is loose, and a
    network within it is not robust at a given radius for that alone: a low limit shrinks the gaps between the
    logits as much as their slopes, and costs accuracy first. Attention and layers of other kinds are not held;
    the classifier's normalisation and what stands in front add their own stretch.
    Source: Yoshida, Miyato, 2017; the projection and the true operator of a convolution after Gouk, Frank,
        Pfahringer, Cree: Regularisation of neural networks by enforcing Lipschitz continuity, 2021.
    """

    name: ClassVar[str] = "spectral-norm"
    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    plan: TrainingPlan = TrainingPlan(epochs=20, schedule="one-cycle", learning_rate=3e-3)
    limit: float = 4.0
    iterations: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("limit", self.limit, "SpectralNorm")
        require_count("iterations", self.iterations, "SpectralNorm")

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> SpectralLesson:
        shapes = input_shapes(classifier)
        if not shapes:
            raise UnsupportedModel(
                "spectral-norm: the network has no linear or convolutional layers that it can hold",
                hint="networks that were brought in as a graph keep their weights elsewhere",
            )
        return SpectralLesson(self.limit, self.iterations, tuple(shapes.items()))


@dataclass(frozen=True)
class SpectralLesson(Plain):
    """Ordinary learning, and weights within the limit after each step.

    Args:
        shapes: the input's shape without the batch, by the layer's name.
    """

    limit: float
    iterations: int
    shapes: tuple[tuple[str, tuple[int, ...]], ...]

    def settle(self, model: Classifier) -> None:
        for name, shape in self.shapes:
            layer: Any = model.get_submodule(name)
            norm = spectral_norm(layer, shape, self.iterations, derive_seed(0, "spectral norm", name))
            if norm > self.limit:
                with torch.no_grad():
                    layer.weight.mul_(self.limit / norm)
        for one in model.modules():
            if isinstance(one, nn.modules.batchnorm._BatchNorm):
                _cut_factors(one, self.limit)


def input_shapes(classifier: Classifier) -> dict[str, tuple[int, ...]]:
    """What goes into each linear and convolutional layer, one image of it, by the layer's name."""
    found: dict[str, tuple[int, ...]] = {}

    def noting(name: str) -> Any:
        def note(_module: nn.Module, given: tuple[Tensor, ...]) -> None:
            found[name] = tuple(given[0].shape[1:])

        return note

    hooks = [
        one.register_forward_pre_hook(noting(name))
        for name, one in classifier.named_modules()
        if isinstance(one, _LINEAR)
    ]
    try:
        with torch.no_grad():
            classifier(torch.zeros(1, *classifier.input_shape, device=classifier.device))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def spectral_norm(layer: nn.Module, shape: tuple[int, ...], iterations: int, seed: int) -> float:
    """The largest stretch of a linear map with bias, by power iteration: from below.

    Args:
        layer: any module that is linear in its input but for a constant.
        shape: of one input.
        seed: of the start.
    """
    weight = next(layer.parameters())
    start = torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed))
    ahead = start.to(weight.device, weight.dtype)
    with torch.no_grad():
        bias = layer(torch.zeros_like(ahead))
    for _ in range(iterations):
        x = (ahead / (ahead.norm() + _TINY)).requires_grad_(True)
        image = layer(x) - bias
        (ahead,) = torch.autograd.grad(image, x, image.detach())  # the transposed map, whatever the layer
    return float(ahead.norm().sqrt())


@torch.no_grad()
def _cut_factors(layer: nn.modules.batchnorm._BatchNorm, limit: float) -> None:
    """In eval mode batch norm multiplies each channel by ``weight / sqrt(running variance)``."""
    if layer.weight is None or layer.running_var is None:
        return
    most = limit * (layer.running_var + layer.eps).sqrt()
    layer.weight.copy_(torch.maximum(torch.minimum(layer.weight, most), -most))
