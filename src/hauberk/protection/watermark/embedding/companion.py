"""A network's companion, as the embedder differentiates it: ``|x|`` for rectifiers, averages for max pools.

The companion is another function of the same weights. What the task asks of the network hardly binds it, so a
mark has room there; and whatever keeps the network's function by permuting channels, scaling across rectifiers
or folding norms keeps the companion's too, since ``|c x| = c |x|``. Torch's functions are replaced before they
are differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from hauberk.models import Classifier

_RECTIFIERS = {"relu", "relu_", "leaky_relu", "leaky_relu_", "prelu", "threshold", "threshold_"}
_AVERAGES: dict[str, Callable[..., Tensor]] = {
    "max_pool1d": F.avg_pool1d,
    "max_pool2d": F.avg_pool2d,
    "max_pool3d": F.avg_pool3d,
}


def companion(classifier: Classifier, images: Tensor) -> Tensor:
    """What the companion of the network, normalisation included, answers; parts around it are left out."""
    inner = images if classifier.normalization is None else classifier.normalization(images)
    with _Companion():
        out: Tensor = classifier.module(inner)
    return out


class _Companion(TorchFunctionMode):
    def __torch_function__(
        self,
        function: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        name = str(getattr(function, "__name__", "")).partition(".")[0]
        if name in _RECTIFIERS or (
            name in ("clamp", "clamp_", "clamp_min", "clamp_min_") and _rectifies(args, given)
        ):
            return args[0].abs()
        if name in _AVERAGES and not given.get("return_indices"):
            return _averaged(_AVERAGES[name], *args, **given)
        return function(*args, **given)


def _rectifies(args: tuple[Any, ...], given: Mapping[str, Any]) -> bool:
    """A clamp from below at 0, with nothing above."""
    low = args[1] if len(args) > 1 else given.get("min")
    high = args[2] if len(args) > 2 else given.get("max")
    return isinstance(low, int | float) and low == 0 and high is None


def _averaged(
    average: Callable[..., Tensor],
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    """The average over a max pool's windows, its padding counted as zeros; dilation is ignored."""
    return average(input, kernel_size, stride or None, padding, ceil_mode)
