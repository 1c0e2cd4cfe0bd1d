"""Which weights carry which position of the code, and with which sign.

Every weight of the larger tensors carries one position: a keyed order deals the weights of a tensor out to the
positions in turn, so that each position has its share of every layer. A copy's weight differs from the
original's by plus or minus an amplitude: the product of the recipient's bit, as -1 or 1, and the weight's
keyed sign. The amplitude is a share of the tensor's root mean square, and says how much is at stake for
accuracy.

Because the signs are random, what training, rounding or pruning do to the weights averages out over a
position's weights, and because each position is spread over all layers, copies that are mixed by tensor, by
row or by weight are as good as averaged.

Source: Cox, Kilian, Leighton, Shamoon, Secure spread spectrum watermarking for multimedia, IEEE Trans. Image
    Processing 6(12), 1997, for hiding a word in many small changes and reading it back against the original.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hauberk.core.errors import ConfigError, UnsupportedModel
from hauberk.crypto.secret import Secret
from hauberk.models import Classifier
from hauberk.protection.trace.key import stream

STRENGTH = 0.05
"""Default amplitude, in root mean squares of the tensor."""

LEAST_PER_POSITION = 4
_SMALLEST_SHARE = 0.01  # smaller tensors add little to the mark, and are often the touchiest ones


@dataclass(frozen=True)
class Carrier:
    """One tensor's part in the mark.

    Args:
        name: of the tensor.
        amplitude: by which each of its weights differs from the original's.
        positions: int64, shape of the tensor: which position a weight carries.
        signs: float32 of -1 and 1, shape of the tensor; 0 for a weight that is 0 in the original, which
            carries nothing.
    """

    name: str
    amplitude: float
    positions: Tensor
    signs: Tensor


def check_strength(value: object) -> float:
    """An amplitude that can be meant, or a ConfigError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ConfigError(f"strength must lie in (0, 1], in root mean squares of a tensor, got {value!r}")
    return float(value)


def marked_tensors(classifier: Classifier) -> dict[str, Tensor]:
    """The network's own weights that carry the mark, by their names in the package.

    Parts around the network, biases and norms carry none.
    """
    found = {
        name: tensor.detach().cpu()
        for name, tensor in classifier.module.named_parameters()
        if tensor.ndim >= 2 and tensor.is_floating_point() and "defences." not in name
    }
    whole = sum(tensor.numel() for tensor in found.values())
    return {name: tensor for name, tensor in found.items() if tensor.numel() >= _SMALLEST_SHARE * whole}


def carriers(
    weights: Mapping[str, Tensor], key: Secret, *, model: str, length: int, strength: float
) -> Iterator[Carrier]:
    """The carriers of an original's ``marked_tensors``, tensor by tensor.

    Args:
        model: the original's digest.
        length: positions of the code.

    Raises:
        UnsupportedModel: the model has too few weights for so long a code.

    Cost: a sort of each tensor's weights, and nine pseudorandom bytes for each.
    """
    usable = sum(int(torch.count_nonzero(tensor)) for tensor in weights.values())
    if usable < LEAST_PER_POSITION * length:
        raise UnsupportedModel(
            f"this model is too small to be traced: a code of {length} positions needs "
            f"{LEAST_PER_POSITION * length} weights that can carry a mark, it has {usable}",
            hint="a code for fewer recipients or fewer colluders is shorter",
            needed=LEAST_PER_POSITION * length,
            usable=usable,
        )
    dealt = 0
    for name, tensor in weights.items():
        count = tensor.numel()
        turns = np.frombuffer(stream(key, f"order {model} {name}", 8 * count), "<u8")
        rank = np.empty(count, dtype=np.int64)
        rank[np.argsort(turns, kind="stable")] = np.arange(count)
        positions = torch.from_numpy((rank + dealt) % length).view(tensor.shape)
        carried = _signs(key, f"signs {model} {name}", count).view(tensor.shape) * (tensor != 0)
        amplitude = strength * math.sqrt(float(tensor.double().square().mean()))
        yield Carrier(name, amplitude, positions, carried)
        dealt += count


def _signs(key: Secret, use: str, count: int) -> Tensor:
    """-1 and 1, float32 ``(count,)``: the first bit of each byte is the lowest."""
    raw = np.frombuffer(stream(key, use, (count + 7) // 8), np.uint8)
    bits: npt.NDArray[np.uint8] = np.unpackbits(raw, bitorder="little")[:count]
    return torch.from_numpy(bits.astype(np.float32) * 2 - 1)
