"""Linear bounds walked back to the input: CROWN, with the boxes that intervals gave for what bends."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from hauberk.core.errors import UnsupportedModel
from hauberk.models.architectures import Contrast
from hauberk.models.bounds.box import Box, folded_norm
from hauberk.models.classifier import Normalization

_FRONT = (Contrast, Normalization)  # elementwise and monotone: a box goes in, a box comes out
_WALKED = (nn.Linear, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d, nn.Flatten)


def walked_logits(layers: list[nn.Module], seen: list[Box], labels: Tensor) -> Tensor:
    """Upper bounds of every logit minus that of the label, by linear relaxation: ``(n, classes)``.

    Args:
        layers, seen: as in ``boxes``.

    Raises:
        UnsupportedModel: a layer that cannot be walked back through.

    Cost: as many backward passes as there are classes.
    """
    front = check_walk(layers)
    last = layers[-1]
    assert isinstance(last, nn.Linear)
    rows = last.weight - last.weight[labels][:, None]  # (n, classes, features)
    total = torch.zeros_like(rows[:, :, 0])
    if last.bias is not None:
        total = total + last.bias - last.bias[labels][:, None]
    for layer, box in zip(reversed(layers[front:-1]), reversed(seen[front : len(layers) - 1]), strict=True):
        rows, constant = _back(layer, box, rows)
        total = total + constant
    middle, radius = seen[front].middle.flatten(1), seen[front].radius.flatten(1)
    flat = rows.flatten(2)
    return total + torch.einsum("ncf,nf->nc", flat, middle) + torch.einsum("ncf,nf->nc", flat.abs(), radius)


def check_walk(layers: list[nn.Module]) -> int:
    """How many layers at the front make a box of a box; all others must be such as can be walked through.

    Raises:
        UnsupportedModel: names the first that is not.
    """
    front = next(place for place, one in enumerate(layers) if not isinstance(one, _FRONT))
    for layer in layers[front:]:
        pads = isinstance(layer, nn.MaxPool2d) and (layer.padding, layer.dilation, layer.ceil_mode) != (
            0,
            1,
            False,
        )
        if not isinstance(layer, _WALKED) or pads:
            raise UnsupportedModel(
                f"linear bounds cannot be walked back through {layer}", hint="method ibp knows it, at any place"
            )
    return front


def _back(layer: nn.Module, box: Box, rows: Tensor) -> tuple[Tensor, Tensor | float]:
    """Rows in terms of what ``layer`` sees, and the constant that belongs to them, for upper bounds."""
    if isinstance(layer, nn.Linear):
        return rows @ layer.weight, 0.0 if layer.bias is None else rows @ layer.bias
    if isinstance(layer, nn.Conv2d):
        return _back_convolution(layer, box, rows)
    if isinstance(layer, nn.ReLU):
        return _back_relu(box, rows)
    if isinstance(layer, nn.MaxPool2d):
        return _back_pool(layer, box, rows)
    if isinstance(layer, nn.Flatten):
        return rows.reshape(*rows.shape[:2], *box.lower.shape[1:]), 0.0
    scale, shift = folded_norm(layer, box.lower.ndim)
    return rows * scale[:, None], (rows * shift[:, None]).flatten(2).sum(2)


def _back_convolution(layer: nn.Conv2d, box: Box, rows: Tensor) -> tuple[Tensor, Tensor | float]:
    shape = box.lower.shape[1:]
    flat = conv2d_input(  # type: ignore[no-untyped-call]
        (rows.shape[0] * rows.shape[1], *shape),
        layer.weight,
        rows.flatten(0, 1),
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
    )
    constant = 0.0 if layer.bias is None else torch.einsum("nrchw,c->nr", rows, layer.bias)
    return flat.view(*rows.shape[:2], *shape), constant


def _back_relu(box: Box, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Above by the chord; below by 0 or x, whichever loses less area."""
    lower, upper = box
    crossing = (lower < 0) & (upper > 0)
    active = (lower >= 0).to(lower)
    above = torch.where(crossing, upper / (upper - lower).clamp_min(1e-12), active)
    below = torch.where(crossing, (upper > -lower).to(lower), active)
    intercept = torch.where(crossing, -above * lower, torch.zeros_like(lower))
    positive, negative = rows.clamp_min(0), rows.clamp_max(0)
    constant = torch.einsum("ncf,nf->nc", positive.flatten(2), intercept.flatten(1))
    return positive * above[:, None] + negative * below[:, None], constant


def _back_pool(layer: nn.MaxPool2d, box: Box, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Above by the member that always wins, or by the highest upper bound; below by the highest lower bound."""
    size, step = layer.kernel_size, layer.stride
    lower, best = F.max_pool2d(box.lower, size, step, return_indices=True)
    # what the others could reach: with the best member taken out of its window
    others = _windows(box.upper, layer)
    places = _windows(_numbers(box.upper), layer)
    others = others.masked_fill(places == best.flatten(2)[:, :, None], -torch.inf).amax(dim=2)
    wins = (others <= lower.flatten(2)).to(lower)
    highest = F.max_pool2d(box.upper, size, step).flatten(2)
    positive, negative = rows.clamp_min(0).flatten(3), rows.clamp_max(0).flatten(3)
    constant = torch.einsum("nckp,nkp->nc", positive, (1 - wins) * highest)
    before = rows.new_zeros((*rows.shape[:3], box.lower[0, 0].numel()))
    index = best.flatten(2)[:, None].expand_as(positive)
    before = before.scatter_add(3, index, positive * wins[:, None] + negative)
    return before.view(*rows.shape[:2], *box.lower.shape[1:]), constant


def _numbers(like: Tensor) -> Tensor:
    """The place of each pixel in its channel, shape of ``like``."""
    places = torch.arange(like[0, 0].numel(), dtype=like.dtype, device=like.device)
    return places.view(1, 1, *like.shape[2:]).expand_as(like)


def _windows(x: Tensor, layer: nn.MaxPool2d) -> Tensor:
    """``(n, channels, members, places)``."""
    found = F.unfold(x, layer.kernel_size, stride=layer.stride)
    return found.view(len(x), x.shape[1], -1, found.shape[2])
