"""Bits in the weights: each is the sign of a keyed reading of the network's companion.

A bit is read by a pair of opposite keyed inputs and a keyed difference of classes. The regulariser pushes every
reading to its bit's side by a margin that is measured in the readings' own root mean square, so that scaling
the weights gains nothing. Each reading sums over all paths of the network: what fine-tuning, rounding and
pruning do to single weights averages out, and permuted or rescaled channels change nothing at all.

Source: Uchida, Nagai, Sakazawa, Satoh, Embedding watermarks into deep neural networks, ICMR 2017, for a keyed
    projection embedded by a regulariser. Differences: the projection is of the companion's answers in place of
    a layer's weights, the loss has a margin, and no layer has to be named.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import UnsupportedModel
from hauberk.models import Classifier
from hauberk.models.training.lesson import Moment
from hauberk.protection.watermark.embedding import draws
from hauberk.protection.watermark.embedding.companion import companion
from hauberk.protection.watermark.embedding.tuning import Marking, settled
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import WhiteBox

WEIGHTS_PER_BIT = 16
_REACH = 4.0  # how far keyed inputs leave the valid range: sparse and strong ones tell more bits apart
_MARGIN = 1.0  # in root mean squares of all readings
_STEEPNESS = 4.0  # of the loss about the margin


@dataclass(frozen=True, kw_only=True, eq=False)
class BitLesson(Marking):
    """Readings on their bits' sides.

    Args:
        probes: float32 ``(bits, *input_shape)``; opposites: the same mirrored about the middle of the valid
            range.
        readers: float32 ``(bits, classes)`` of -1, 0 and 1, each row summing to 0.
        wanted: float32 ``(bits,)`` of -1 and 1.
    """

    probes: Tensor
    opposites: Tensor
    readers: Tensor
    wanted: Tensor

    def lack(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        with settled(model):
            answers = companion(model, torch.cat([self.probes, self.opposites]).to(images))
        first, second = answers.chunk(2)
        right = ((first - second) * self.readers.to(images)).sum(dim=1) * self.wanted.to(images)
        scale = right.detach().square().mean().sqrt().clamp_min(1e-12)
        return F.softplus(_STEEPNESS * (_MARGIN - right / scale)).mean() / _STEEPNESS


def bit_lesson(classifier: Classifier, key: MarkKey, mark: WhiteBox, weight: float) -> BitLesson:
    """What a model has to learn to carry ``mark``.

    Raises:
        UnsupportedModel: it has fewer than ``WEIGHTS_PER_BIT`` weights for each bit.
    """
    weights = sum(one.numel() for one in classifier.module.parameters() if one.ndim > 1)
    if weights < WEIGHTS_PER_BIT * mark.bits:
        raise UnsupportedModel(
            f"this model is too small for {mark.bits} bits: they need {WEIGHTS_PER_BIT * mark.bits} weights, "
            f"it has {weights}",
            hint=f"--set bits={weights // WEIGHTS_PER_BIT}",
        )
    shape = (mark.bits, *classifier.input_shape)
    octets = draws.octets(key, "whitebox probes", shape)
    steps = torch.where(octets % 8 == 0, (octets >> 7).float() * 2 - 1, 0.0)
    lower, upper = classifier.bounds.tensors(steps)
    middle, reach = (lower + upper) / 2, _REACH * (upper - lower)
    words = draws.draw(key, "whitebox readers", 8 * mark.bits * classifier.num_classes)
    return BitLesson(
        weight=weight,
        probes=middle + reach * steps,
        opposites=middle - reach * steps,
        readers=_readers(words, mark.bits, classifier.num_classes),
        wanted=draws.signs(key, "whitebox bits", (mark.bits,)),
    )


def _readers(words: bytes, bits: int, classes: int) -> Tensor:
    """Half of the classes against the other half; the one in the middle of an odd number counts for neither."""
    readers = torch.zeros(bits, classes)
    half = classes // 2
    for bit in range(bits):
        row = words[8 * classes * bit : 8 * classes * (bit + 1)]
        order = sorted(range(classes), key=lambda one: row[8 * one : 8 * one + 8])
        readers[bit, order[:half]] = 1.0
        readers[bit, order[classes - half :]] = -1.0
    return readers
