"""The inner maximisation that adversarial training, TRADES, MART and their kin share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hauberk.attacks import PGD
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.training import Moment, accuracy
from hauberk.threats import Geometry, ThreatModel

_SCORING = PGD(steps=20)  # on held-out data after each epoch


def climb(
    model: Classifier,
    images: Tensor,
    loss: Callable[[Tensor], Tensor],
    geometry: Geometry,
    moment: Moment,
    *,
    steps: int,
    reach: float,
) -> Tensor:
    """Where ``steps`` of steepest ascent from a random start end, projected into ball and bounds.

    Args:
        loss: a scalar from logits ``(n, classes)``, summed over the batch.
        geometry: with the radius of the moment.
        reach: how far the walk can go in all, in radii.

    In eval mode meanwhile: batch norm's statistics are learnt from the outer pass only.
    """
    lower, upper = model.bounds.tensors(images)
    scale = geometry.step_scale(model.bounds, model.input_shape)
    x = geometry.project(images, images + geometry.uniform(images, moment.streams), lower, upper)
    with frozen(model):
        for _ in range(steps):
            x = x.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(loss(model(x)), x)
            ahead = x.detach() + reach * scale / steps * geometry.steepest(gradient)
            x = geometry.project(images, ahead, lower, upper)
    return x.detach()


def at_radius(geometry: Geometry, radius: float) -> Geometry:
    """The geometry at another radius; a counting norm takes whole radii only."""
    return geometry.with_eps(max(1.0, round(radius)) if geometry.norm == "l0" else radius)


def robust_scores(model: Classifier, held_out: Dataset, threat: ThreatModel, seed: int) -> dict[str, float]:
    """Held-out accuracy, and under a short PGD: white box, no query budget, as in the training itself."""
    result = _SCORING(model, held_out.images, held_out.labels, threat.geometry, seed=seed)
    return {
        "held_out_accuracy": accuracy(model, held_out.images, held_out.labels),
        "held_out_robust": result.robust_accuracy,
    }


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Eval mode without parameter gradients, for looking at the input's gradient alone."""
    training = [one for one in model.modules() if one.training]
    learning = [one for one in model.parameters() if one.requires_grad]
    model.eval()
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
        for module in training:
            module.training = True
