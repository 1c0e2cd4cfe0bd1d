"""Reading the bits of a white-box mark out of a suspect's companion.

Torch's kernels are replaced while the network runs, below whatever layers or graph it is written in, so that
names and wrapping play no part. The bits are drawn from the key apart from everything that reads them: of
whatever a model says that was made without the key, each agrees with probability 1/2, independently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from hauberk.core.errors import UnsupportedModel
from hauberk.models import Classifier
from hauberk.models.twin import passes
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import WhiteBox
from hauberk.protection.watermark.verification.draws import plus_minus, stream, words
from hauberk.protection.watermark.verification.reading import Reading

_REACH = np.float32(4)
_AT_ONCE = 128


def read_bits(suspect: Classifier, key: MarkKey, mark: WhiteBox) -> Reading:
    """How many bits agree; a reading of exactly 0 agrees with nothing.

    Raises:
        UnsupportedModel: the companion's answers are not numbers, or not one for each class.

    Cost: two forward passes a bit.
    """
    classes, shape = suspect.num_classes, suspect.input_shape
    octets = stream(key, "whitebox probes", mark.bits * int(np.prod(shape))).reshape(mark.bits, *shape)
    steps = np.where(octets & 7, np.float32(0), plus_minus(octets))
    low, high = (one.numpy() for one in suspect.bounds.tensors(torch.zeros(1, *shape)))
    middle, reach = (low + high) / 2, _REACH * (high - low)
    ahead = _answers(suspect, middle + reach * steps) - _answers(suspect, middle - reach * steps)
    rank = words(key, "whitebox readers", mark.bits * classes).reshape(mark.bits, classes).argsort(axis=1)
    half = classes // 2
    rows = np.arange(mark.bits)[:, None]
    readings = ahead[rows, rank[:, :half]].sum(axis=1) - ahead[rows, rank[:, classes - half :]].sum(axis=1)
    wanted = plus_minus(stream(key, "whitebox bits", mark.bits))
    return Reading(mark.kind, mark.bits, int((readings * wanted > 0).sum()), Fraction(1, 2))


def _answers(suspect: Classifier, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """float64 ``(n, classes)``."""
    images = torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float32)).to(suspect.device, suspect.dtype)
    found: list[Tensor] = []
    with torch.no_grad(), _Replaced():  # type: ignore[no-untyped-call]
        for part in passes(len(images), _AT_ONCE):
            batch = images[part]
            found.append(
                suspect.module(batch if suspect.normalization is None else suspect.normalization(batch))
            )
    answers = torch.cat(found).double().cpu()
    if answers.shape != (len(images), suspect.num_classes) or not bool(torch.isfinite(answers).all()):
        raise UnsupportedModel("the network's companion does not answer with one finite number for each class")
    numbers: npt.NDArray[np.float64] = answers.numpy()
    return numbers


_aten = torch.ops.aten
_ABSOLUTE = {
    _aten.relu.default,
    _aten.relu_.default,
    _aten.leaky_relu.default,
    _aten.leaky_relu_.default,
    _aten._prelu_kernel.default,
    _aten.threshold.default,
    _aten.threshold_.default,
}
_FROM_BELOW = {_aten.clamp.default, _aten.clamp_.default, _aten.clamp_min.default, _aten.clamp_min_.default}
_POOLS = {
    _aten.max_pool2d_with_indices.default: _aten.avg_pool2d.default,
    _aten.max_pool3d_with_indices.default: _aten.avg_pool3d.default,
}


class _Replaced(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Rectifiers answer ``|x|``; the values of max pools are averages, zeros beyond the edge counted."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if func in _ABSOLUTE or (func in _FROM_BELOW and [*args[1:], *named.values()] in ([0], [0, None])):
            return args[0].abs()
        if func in _POOLS:
            settings: list[Any] = [
                *args[1:],
                *([], 0, 1, False)[len(args) - 2 :],
            ]  # what is left out, as torch has it
            kernel, stride, padding, _dilation, ceil = settings
            mean = _POOLS[func](args[0], kernel, stride or kernel, padding, ceil, True)
            return mean, torch.zeros_like(mean, dtype=torch.int64)
        return func(*args, **named)
