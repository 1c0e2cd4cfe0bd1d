"""One attack at a time, as the worst case would use it: what curves and sweeps run at each of their points.

Answers of a randomised model are averaged, and gradients that parts hide come from a bridge over them. A model
that may refuse is attacked across the network's boundary first, too: in the folded logits the refusal is a
ridge that hardly any attack gets over.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hauberk.attacks import PGD, Attack
from hauberk.evaluation.answers import seeing
from hauberk.evaluation.cascade import Stage
from hauberk.evaluation.crossing import across
from hauberk.evaluation.judge import judge
from hauberk.evaluation.standard import averaged, repeats
from hauberk.models import Classifier
from hauberk.models.checks import probe
from hauberk.threats import ThreatModel

DEFAULT_ATTACK = PGD(objective="margin", steps=40)


def strikes(classifier: Classifier, images: Tensor, threat: ThreatModel, attack: Attack) -> tuple[Stage, ...]:
    """The attack as such a model calls for it; one that says itself how often it asks is left at that.

    A refusal is crossed by the attack itself, or by the worst case's own attacks where nobody named one.
    """
    eot = repeats(classifier, randomized=probe(classifier, images).randomized)
    used = averaged(attack, eot)
    first = seeing([Stage(attack=used)], classifier)
    if not classifier.rejects:
        return first
    named = None if attack == DEFAULT_ATTACK else [used]
    return (*first, *across(classifier, threat, eot=eot, attacks=named))


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
    closest, margins = images[rows].clone(), torch.full((len(rows),), -torch.inf)
    for stage in stages:
        left = (~broken).nonzero().squeeze(1)
        if not len(left):
            break
        some = rows[left]
        found = stage.attack(
            classifier, images[some], labels[some], threat,
            seed=seed, indices=some, gradients_from=stage.gradients_from,
            starts=closest[left] if stage.carried else None,
        )  # fmt: skip
        broken[left] = judge(classifier, images[some], found.candidates, labels[some], threat).broken
        nearer = found.margins > margins[left]
        closest[left[nearer]] = found.candidates[nearer].to(closest.dtype)
        margins[left[nearer]] = found.margins[nearer].to(margins.dtype)
    return broken
