"""How to attack who may refuse: across the network's boundary first, then out of the detector's sight."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from hauberk.attacks import APGD, APGDT, Attack
from hauberk.attacks.sparse import SparsePGD
from hauberk.evaluation.cascade import Stage
from hauberk.models import Classifier
from hauberk.models.stand_in import sighted
from hauberk.threats import ThreatModel

_FAR = 1e3  # logits; more than differ anywhere, and float32 still tells a ten-thousandth apart beside it


class Crossing(Classifier):
    """Where to take gradients from: first across the boundary of the network, then out of the detector's sight.

    Detectors are most suspicious right at the boundary. In the folded logits that is a ridge, which turns back
    attacks that start on the right side; here a refusal counts only once the network is wrong. ``_FAR`` keeps
    every point on that side ahead of every point on this one, so that crossing never looks like a loss. The
    ratio of logit differences means nothing beside so large a number: climb the margin.

    Source: selective gradients, Bryniarski et al., Evading adversarial example detection defenses with
        orthogonal projected gradient descent, ICLR 2022.
    """

    def __init__(self, whole: Classifier) -> None:
        super().__init__(whole, input_shape=whole.input_shape, labels=whole.labels, bounds=whole.bounds)
        self.eval()

    def folded(self, logits: Tensor, labels: Tensor) -> Tensor:
        kept = logits[:, : self.num_classes]
        own = kept.gather(1, labels[:, None]).squeeze(1)
        right = kept.argmax(dim=1) == labels
        defended = torch.where(right, own + _FAR, torch.maximum(own, logits[:, self.num_classes]))
        return kept.scatter(1, labels[:, None], defended[:, None])


def crossing(classifier: Classifier) -> Crossing:
    """The classifier's gradients, or its stand-in's where a part blocks them, across the boundary first."""
    return Crossing(sighted(classifier) or copy.deepcopy(classifier))


def across(
    classifier: Classifier, threat: ThreatModel, *, eot: int, attacks: Sequence[Attack] | None = None
) -> tuple[Stage, ...]:
    """Attacks by the gradients that cross first.

    Args:
        attacks: in place of the standard ones.
    """
    if attacks is not None:
        bare = [Stage(attack=one) for one in attacks if one.takes_gradients]
    elif threat.geometry.norm == "l0":
        bare = [Stage(attack=SparsePGD(steps=60, restarts=2, eot=eot))]
    else:
        bare = [
            Stage(attack=APGD(objective="margin", steps=60, restarts=2, eot=eot)),
            Stage(attack=APGD(objective="margin", steps=60, eot=eot), carried=True, note="onward"),
        ]
        if not threat.targeted:
            rivals = min(4, classifier.num_classes - 1)
            bare.append(Stage(attack=APGDT(objective="towards", classes=rivals, steps=40, eot=eot)))
    source = crossing(classifier)
    return tuple(replace(one, gradients_from=source, note=one.note or "crossing") for one in bare)
