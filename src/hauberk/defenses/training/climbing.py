"""The inner maximisation that adversarial training, TRADES, MART and their kin share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from hauberk.attacks import PGD, AttackResult
from hauberk.attacks.gradient import GradientAttack
from hauberk.core.errors import ConfigError
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.stand_in import declares, sighted
from hauberk.models.training import Moment, accuracy
from hauberk.threats import Geometry, ThreatModel

_SCORING = PGD(steps=20)  # on held-out data after each epoch
_EOT = 4


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

    In eval mode meanwhile: batch norm's statistics are learnt from the outer pass only. Over parts that hide
    gradients the walk takes a bridge: without slopes it would end where it started.
    """
    model = sighted(model) or model
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


def require_sight(classifier: Classifier, method: str, *, hint: str) -> None:
    """For methods that work with the classifier's own gradients, and have no use for a bridge.

    Raises:
        ConfigError: a part around the network hides them.
    """
    if sighted(classifier) is not None:
        raise ConfigError(
            f"{method}: a part around the network hides the gradients that it works with", hint=hint
        )


def at_radius(geometry: Geometry, radius: float) -> Geometry:
    """The geometry at another radius; a counting norm takes whole radii only."""
    return geometry.with_eps(max(1.0, round(radius)) if geometry.norm == "l0" else radius)


def attacked(
    model: Classifier, held_out: Dataset, threat: ThreatModel, seed: int, attack: GradientAttack = _SCORING
) -> AttackResult:
    """Held-out data under a short attack: white box, no query budget, as in the training itself.

    Parts that hide gradients are bridged, and answers that are drawn anew averaged.
    """
    return (replace(attack, eot=_EOT) if declares(model, "random") else attack)(
        model, held_out.images, held_out.labels, threat.geometry, seed=seed, gradients_from=sighted(model)
    )


def robust_scores(model: Classifier, held_out: Dataset, threat: ThreatModel, seed: int) -> dict[str, float]:
    """Held-out accuracy, and under the short attack."""
    return {
        "held_out_accuracy": accuracy(model, held_out.images, held_out.labels),
        "held_out_robust": attacked(model, held_out, threat, seed).robust_accuracy,
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
