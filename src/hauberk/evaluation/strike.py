"""One attack at a time, as the worst case would use it: what curves and sweeps run at each of their points.

Answers of a randomised model are averaged, gradients that parts hide come from a bridge over them, and a model
that may refuse is attacked a second time across the network's boundary first.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hauberk.attacks import Attack
from hauberk.evaluation.cascade import Stage
from hauberk.evaluation.crossing import across
from hauberk.evaluation.declared import Declared
from hauberk.evaluation.judge import judge
from hauberk.evaluation.standard import averaged, repeats
from hauberk.models import Classifier
from hauberk.models.checks import probe
from hauberk.models.stand_in import sighted
from hauberk.threats import ThreatModel


def strikes(classifier: Classifier, images: Tensor, threat: ThreatModel, attack: Attack) -> tuple[Stage, ...]:
    """The attack as such a model calls for it; one that says itself how often it asks is left at that."""
    randomized = probe(classifier, images).randomized or bool(Declared.by(classifier).random)
    eot = repeats(classifier, randomized=randomized)
    used = averaged(attack, eot)
    source = sighted(classifier) if used.takes_gradients else None
    first = Stage(attack=used, gradients_from=source, note=None if source is None else "straight-through")
    if not classifier.rejects:
        return (first,)
    return (first, *across(classifier, threat, eot=eot, attacks=[used]))


def fallen(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    threat: ThreatModel,
    stages: Sequence[Stage],
    *,
    rows: Tensor,
    seed: int,
) -> Tensor:
    """Boolean ``(len(rows),)``: which of these samples some stage broke, as the judge sees it."""
    broken = torch.zeros(len(rows), dtype=torch.bool)
    for stage in stages:
        left = (~broken).nonzero().squeeze(1)
        if not len(left):
            break
        some = rows[left]
        found = stage.attack(
            classifier, images[some], labels[some], threat,
            seed=seed, indices=some, gradients_from=stage.gradients_from,
        )  # fmt: skip
        broken[left] = judge(classifier, images[some], found.candidates, labels[some], threat).broken
    return broken
