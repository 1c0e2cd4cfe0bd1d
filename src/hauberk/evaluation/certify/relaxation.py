"""Lower bounds of linear functions of a layer's answer: walked back through the layers, linear all the way.

Whatever bends (ReLU, max-pool) is enclosed between two straight lines over the box that it sees; a row of
coefficients takes the lower line where it is positive and the upper one where it is negative (Zhang et al.,
"Efficient Neural Network Robustness Certification with General Activation Functions", CROWN, NeurIPS 2018).
Where the walk stops, the least value over the box is taken.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.evaluation.certify.box import Box
from hauberk.evaluation.certify.network import Affine, Flatten, Layer, MaxPool, Relu

_UNIT = 2.0**-52


def least(layers: list[Layer], boxes: list[Box], rows: Tensor, stop: int = 0) -> Tensor:
    """Lower bounds ``(n, r)`` of ``rows`` ``(n, r, *shape)`` times what the last of ``layers`` answers.

    Args:
        boxes: what each layer sees.
        stop: the layer whose box ends the walk; 0 walks back to the input.
    """
    total = rows.new_zeros(rows.shape[:2])
    size = torch.zeros_like(total)
    for layer, box in zip(reversed(layers[stop:]), reversed(boxes[stop : len(layers)]), strict=True):
        rows, terms = _back(layer, box, rows)
        for term in terms:
            total, size = total + term, size + term.abs()
    box = boxes[stop]
    flat = rows.flatten(2)
    middle, radius = box.middle.flatten(1), box.radius.flatten(1)
    total = total + torch.einsum("nrd,nd->nr", flat, middle) - torch.einsum("nrd,nd->nr", flat.abs(), radius)
    size = size + torch.einsum("nrd,nd->nr", flat.abs(), box.largest.flatten(1))
    return total - 2 * (flat.shape[2] + len(layers) + 8) * _UNIT * size  # the rounding of these sums


def _back(layer: Layer, box: Box, rows: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Rows in terms of what the layer sees, and constants that belong to them."""
    if isinstance(layer, Affine):
        drift = layer.drift(box)
        before, constant = layer.back(rows)
        return before, [constant, -_dot(rows.abs(), drift.expand(rows.shape[0], *rows.shape[2:]))]
    if isinstance(layer, Flatten):
        return rows.reshape(*rows.shape[:2], *layer.shape), []
    if isinstance(layer, Relu):
        return _back_relu(box, rows)
    assert isinstance(layer, MaxPool)  # a contrast layer stands before all that is walked through
    return _back_pool(layer, box, rows)


def _dot(rows: Tensor, values: Tensor) -> Tensor:
    return torch.einsum("nrd,nd->nr", rows.flatten(2), values.flatten(1))


def _padded(intercept: Tensor, width: Tensor) -> Tensor:
    """An intercept that stays above the true one whatever rounding did to slope, intercept and later sum."""
    return intercept + (intercept.flatten(1).shape[1] + 8) * _UNIT * width


def _back_relu(box: Box, rows: Tensor) -> tuple[Tensor, list[Tensor]]:
    lower, upper = box.lower, box.upper
    crossing = (lower < 0) & (upper > 0)
    width = upper - lower
    active = (lower >= 0).to(lower)
    above = torch.where(crossing, upper / width.clamp_min(torch.finfo(width.dtype).tiny), active)
    below = torch.where(crossing, (upper > -lower).to(lower), active)
    intercept = torch.where(crossing, _padded(-above * lower, width), torch.zeros_like(lower))
    positive, negative = rows.clamp_min(0), rows.clamp_max(0)
    return positive * below[:, None] + negative * above[:, None], [_dot(negative, intercept)]


def _back_pool(layer: MaxPool, box: Box, rows: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Below: the member with the highest lower bound. Above: a line through one member.

    With x the member whose upper bound u is highest, and m the highest upper bound among the others, the
    maximum is at most max(x, m), which is convex in x: the chord from x = l to x = u lies above it.
    """
    lower, upper = _windows(layer, box.lower), _windows(layer, box.upper)  # (n, c, members, places)
    numbers = torch.arange(layer.shape[1] * layer.shape[2], dtype=lower.dtype).view(1, 1, *layer.shape[1:])
    where = _windows(layer, numbers.expand(1, layer.shape[0], -1, -1)).long().expand(lower.shape)
    best = lower.argmax(dim=2, keepdim=True)
    first = upper.argmax(dim=2, keepdim=True)
    high, low = upper.gather(2, first), lower.gather(2, first)
    others = upper.scatter(2, first, -torch.inf).amax(dim=2, keepdim=True)
    left = torch.maximum(low, others)  # the chord's height at its left end
    width = high - low
    free = (left < high) & (width > 0)
    slope = torch.where(free, (high - left) / width.clamp_min(torch.finfo(width.dtype).tiny), 0.0)
    exact = left <= low  # no other member can win
    slope = torch.where(exact, 1.0, slope)
    rough = high.abs() + low.abs() + left.abs()
    flat = torch.where(free, left, torch.maximum(high, left)) - slope * low * free
    intercept = torch.where(exact, 0.0, _padded(flat, rough))
    positive, negative = rows.clamp_min(0).flatten(3), rows.clamp_max(0).flatten(3)
    before = rows.new_zeros((*rows.shape[:3], layer.shape[1] * layer.shape[2]))
    count = rows.shape[1]
    for coefficients, member in (
        (positive, best),
        (negative * slope.squeeze(2)[:, None], first),
    ):
        place = where.gather(2, member).squeeze(2)[:, None].expand(-1, count, -1, -1)
        before.scatter_add_(3, place, coefficients)
    return before.view(*rows.shape[:3], *layer.shape[1:]), [_dot(negative, intercept.squeeze(2))]


def _windows(layer: MaxPool, x: Tensor) -> Tensor:
    """``(n, channels, members, places)``: the members of each window."""
    found = F.unfold(x, layer.kernel, stride=layer.stride)
    return found.view(len(x), layer.shape[0], -1, found.shape[2])
