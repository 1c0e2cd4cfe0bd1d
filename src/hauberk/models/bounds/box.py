"""Interval arithmetic: an axis-aligned box goes in, a box that holds every possible answer comes out."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.models.bounds.layers import MONOTONE
from hauberk.models.classifier import Classifier


class Box(NamedTuple):
    """All points between ``lower`` and ``upper``, elementwise, both ``(n, ...)``."""

    lower: Tensor
    upper: Tensor

    @property
    def middle(self) -> Tensor:
        return (self.lower + self.upper) / 2

    @property
    def radius(self) -> Tensor:
        return (self.upper - self.lower) / 2


def ball(classifier: Classifier, images: Tensor, eps: float) -> Box:
    """The Linf ball of radius ``eps`` around each image, as far as it is valid input."""
    lowest, highest = classifier.bounds.tensors(images)
    return Box(torch.maximum(images - eps, lowest), torch.minimum(images + eps, highest))


def boxes(layers: list[nn.Module], box: Box) -> list[Box]:
    """What each layer sees, given what the first sees, and what the last one answers: one more than layers."""
    seen = [box]
    for layer in layers:
        seen.append(_through(layer, seen[-1]))
    return seen


def _through(layer: nn.Module, box: Box) -> Box:
    if isinstance(layer, MONOTONE):
        return Box(layer(box.lower), layer(box.upper))
    if isinstance(layer, nn.Linear):
        middle, radius = layer(box.middle), F.linear(box.radius, layer.weight.abs())
    elif isinstance(layer, nn.Conv2d):
        middle = layer(box.middle)
        radius = F.conv2d(
            box.radius, layer.weight.abs(), None, layer.stride, layer.padding, layer.dilation, layer.groups
        )
    else:
        scale, shift = folded_norm(layer, box.lower.ndim)
        middle, radius = box.middle * scale + shift, box.radius * scale.abs()
    return Box(middle - radius, middle + radius)


def folded_norm(layer: nn.Module, dims: int) -> tuple[Tensor, Tensor]:
    """Scale and shift of a batch norm in use (running statistics), to broadcast over ``dims`` dimensions."""
    assert isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
    assert layer.running_mean is not None
    assert layer.running_var is not None
    scale = (layer.running_var + layer.eps).rsqrt()
    if layer.weight is not None:
        scale = scale * layer.weight
    shift = -layer.running_mean * scale
    if layer.bias is not None:
        shift = shift + layer.bias
    shape = (1, -1, *([1] * (dims - 2)))
    return scale.view(shape), shift.view(shape)


def worst_logits(layers: list[nn.Module], seen: list[Box], labels: Tensor) -> Tensor:
    """Upper bounds of every logit minus that of the label: ``(n, classes)``, 0 at the label itself.

    The last linear layer is merged with the differences, so that what two logits share cancels.

    Args:
        layers, seen: as in ``boxes``; ``seen`` may lack what the last layer answers.
    """
    last, before = layers[-1], seen[len(layers) - 1]
    assert isinstance(last, nn.Linear)
    weight = last.weight - last.weight[labels][:, None]  # (n, classes, features)
    worst = torch.einsum("ncf,nf->nc", weight, before.middle)
    worst = worst + torch.einsum("ncf,nf->nc", weight.abs(), before.radius)
    return worst + last.bias - last.bias[labels][:, None] if last.bias is not None else worst
