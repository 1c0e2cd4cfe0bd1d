"""What an evaluation does about a suspicion, by itself: the attacks that answer it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hauberk.attacks import APGD, APGDT, PGD
from hauberk.attacks.query import Square
from hauberk.attacks.transfer import Transfer
from hauberk.evaluation.cascade import Stage
from hauberk.models import Classifier
from hauberk.models.stand_in import sighted
from hauberk.threats import ThreatModel

ROUNDS = 3  # of further restarts while they gain
GAIN = 0.002  # of all samples: what a round must break to be followed by another


_STRAIGHT = "straight-through"


def bridged(ladder: Sequence[Stage], stand_in: Classifier) -> tuple[Stage, ...]:
    """The ladder climbed by the gradients of a stand-in that passes slopes straight through (BPDA)."""
    return tuple(
        replace(one, gradients_from=stand_in, note=_STRAIGHT) if one.attack.takes_gradients else one
        for one in ladder
    )


def seeing(ladder: Sequence[Stage], attacked: Classifier) -> tuple[Stage, ...]:
    """The same, where a part of what is attacked says that it blocks gradients; else the ladder as it is."""
    source = sighted(attacked)
    return tuple(ladder) if source is None else bridged(ladder, source)


def to_masking(
    ladder: Sequence[Stage],
    threat: ThreatModel,
    *,
    stand_in: Classifier | None,
    direct: bool,
    eot: int,
    gradients_from: Classifier | None = None,
) -> tuple[Stage, ...]:
    """Where gradients may mislead: slopes passed straight through (BPDA), many restarts on everybody, no
    gradients at all.

    Args:
        ladder: the standard cascade, which is climbed again by the stand-in's gradients.
        stand_in: what passes slopes straight through; None where that has none either, or was used already.
        direct: whether the model itself has gradients, or ``gradients_from`` has.
        gradients_from: what the cascade took gradients from, where that is not the model itself.
        eot: answers averaged at each point; above 1 for a randomised model, which black boxes cannot ask.
    """
    answers: list[Stage] = []
    if stand_in is not None:
        answers += bridged([one for one in ladder if one.attack.takes_gradients], stand_in)
    if direct:
        again = PGD(objective="margin", steps=100, restarts=3, eot=eot)
        answers.append(
            Stage(attack=again, gradients_from=gradients_from, note=_noted("everybody", gradients_from))
        )
    if threat.geometry.norm in Square.norms and eot == 1:
        answers.append(Stage(attack=Square(queries=2000), note="everybody"))
    return tuple(answers)


def to_gaining_restarts(
    classifier: Classifier, *, targeted: bool, eot: int, gradients_from: Classifier | None = None
) -> tuple[Stage, ...]:
    """One more round for the samples closest to falling; repeated while it breaks any."""
    ratio = "dlr" if classifier.num_classes > 3 else "margin"
    note = _noted("again", gradients_from)
    rounds = [Stage(attack=APGD(objective=ratio, steps=60, restarts=8, eot=eot), share=0.06, note=note)]
    if not targeted and classifier.num_classes > 3:
        rounds.append(Stage(attack=APGDT(classes=9, steps=100, eot=eot), share=0.04, note=note))
    return tuple(replace(one, gradients_from=gradients_from) for one in rounds)


def _noted(note: str, gradients_from: Classifier | None) -> str:
    return note if gradients_from is None else f"{_STRAIGHT}, {note}"


def from_elsewhere(sources: Sequence[Classifier]) -> tuple[Stage, ...]:
    """Samples made on other models and carried over."""
    return (Stage(attack=Transfer(sources=tuple(sources))),) if sources else ()
