"""Small experiments on a few samples that tell whether an evaluation can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hauberk.attacks import PGD
from hauberk.attacks.objectives import Margin
from hauberk.attacks.oracle import Oracle
from hauberk.core.errors import UnsupportedModel
from hauberk.models import Classifier
from hauberk.models.twin import fast_twin
from hauberk.threats import ThreatModel

SAMPLES = 64
_STEPS = 20


def differentiable(classifier: Classifier, images: Tensor, labels: Tensor) -> bool:
    """Whether the model has any gradient path to its input (which may still be zero everywhere)."""
    few = images[:2].to(classifier.device)
    try:
        Oracle(fast_twin(classifier), Margin()).look(few, labels[:2].to(classifier.device), None)
    except (UnsupportedModel, RuntimeError):  # no path, or a stand-in that leaves torch on the way
        return False
    return True


@dataclass(frozen=True)
class Radii:
    """What an iterated attack did at growing radii, on the same samples.

    Args:
        eps: the radii: the threat's, its double, and the one that reaches every valid image.
        fooled: share of the samples fooled at each.
        margins: mean of the attacker's margin at each, in logits.
    """

    eps: tuple[float, ...]
    fooled: tuple[float, ...]
    margins: tuple[float, ...]


def radii(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    threat: ThreatModel,
    *,
    eot: int,
    gradients_from: Classifier | None = None,
) -> Radii:
    """Attack a few samples at the threat's radius, twice that, and without any limit.

    An honest model falls more the farther the attacker may go, and always when he may go anywhere.

    Args:
        gradients_from: what the evaluation takes gradients from, where that is not the model itself.
    """
    widest = threat.geometry.largest(classifier.bounds, classifier.input_shape)
    eps = sorted({threat.geometry.eps, min(2 * threat.geometry.eps, widest), widest})
    free = ThreatModel(threat.geometry)
    fooled, margins = [], []
    for radius in eps:
        result = PGD(objective="margin", steps=_STEPS, eot=eot)(
            classifier,
            images[:SAMPLES],
            labels[:SAMPLES],
            free.with_eps(radius),
            gradients_from=gradients_from,
        )
        fooled.append(float(result.success.float().mean()))
        # a sample leaves as soon as it is fooled, by however little: count that as level
        margins.append(float(result.margins.clamp(max=0.0).double().mean()))
    return Radii(tuple(eps), tuple(fooled), tuple(margins))
