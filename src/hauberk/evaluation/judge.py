"""The judge: says of every candidate whether it counts, without trusting the attack that made it.

It measures distances in its own way, in float64 and from the definition of each norm, and asks the classifier
itself. It shares nothing with ``threats`` but the specification: a candidate counts when its distance is at
most eps (with float32's rounding at the size of the bounds allowed for), its values lie within the bounds,
and its label is wrong (or the wanted one, when the threat is targeted).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hauberk.models import Classifier
from hauberk.models.twin import pass_size, passes
from hauberk.threats import ThreatModel

_RELATIVE = 1e-5  # summing thousands of float32 changes
_ABSOLUTE = 1e-6  # one float32 rounding at values about 1; grows with the bounds


@dataclass(frozen=True, eq=False)
class Judgement:
    """One row per candidate.

    Args:
        broken: boolean ``(n,)``: it counts.
        invalid: boolean ``(n,)``: outside ball or bounds, or not finite; never counts.
        prediction: int64 ``(n,)``.
        distance: float64 ``(n,)`` in the threat's norm.
    """

    broken: Tensor
    invalid: Tensor
    prediction: Tensor
    distance: Tensor


@torch.no_grad()
def predictions(classifier: Classifier, images: Tensor) -> Tensor:
    """Predicted classes ``(n,)``, on the CPU; the number of classes where the input is refused."""
    parts = [
        classifier(images[part].to(classifier.device)).argmax(dim=1).cpu()
        for part in passes(len(images), pass_size(classifier))
    ]
    return torch.cat(parts)


def distances(norm: str, change: Tensor) -> Tensor:
    """``(n,)`` from ``(n, ...)``: the norm of each change."""
    rows = change.double().reshape(len(change), -1)
    if norm == "linf":
        return rows.abs().max(dim=1).values
    if norm == "l2":
        return rows.square().sum(dim=1).sqrt()
    if norm == "l1":
        return rows.abs().sum(dim=1)
    if norm == "l0":
        touched = change.ne(0)
        if change.ndim == 4:  # a pixel counts once, whatever its channels
            touched = touched.any(dim=1)
        return touched.reshape(len(change), -1).sum(dim=1).double()
    raise AssertionError(norm)


def farthest(classifier: Classifier, eps: float) -> float:
    """The largest distance that counts as ``eps``; certificates hold as far."""
    limits = torch.cat([one.flatten() for one in classifier.bounds.tensors(torch.zeros(1))])
    return eps * (1 + _RELATIVE) + _ABSOLUTE * max(1.0, float(limits.abs().max()))


def judge(
    classifier: Classifier,
    images: Tensor,
    candidates: Tensor,
    labels: Tensor,
    threat: ThreatModel,
    targets: Tensor | None = None,
) -> Judgement:
    """Judge candidates for images that were classified rightly; all tensors on the CPU."""
    distance = distances(threat.geometry.norm, candidates.double() - images.double())
    lower, upper = classifier.bounds.tensors(candidates)
    outside = ((candidates < lower) | (candidates > upper)).reshape(len(candidates), -1).any(dim=1)
    too_far = ~(distance <= farthest(classifier, threat.geometry.eps))  # true for NaN too
    invalid = outside | too_far
    prediction = predictions(classifier, candidates)
    accepted = prediction < classifier.num_classes
    reached = accepted & (prediction != labels) if targets is None else prediction == targets
    return Judgement(reached & ~invalid, invalid, prediction, distance)
