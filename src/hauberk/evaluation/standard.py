"""Which attacks stand for the worst case when nobody names any: a cascade for each threat model."""

from __future__ import annotations

from dataclasses import replace

from hauberk.attacks import APGD, APGDT, PGD, Attack
from hauberk.attacks.gradient import GradientAttack
from hauberk.attacks.nearest import FMN
from hauberk.attacks.query import HopSkipJump, RayS, SimBA, Square, SurFree
from hauberk.attacks.sparse import SparsePGD
from hauberk.core.errors import ConfigError
from hauberk.evaluation.cascade import Stage
from hauberk.models import Classifier
from hauberk.models.parts import Smoothing
from hauberk.models.stand_in import declares
from hauberk.threats import Knowledge, ThreatModel

EOT = 16  # answers averaged at each point of a randomised model
_LEAST_EOT = 2  # where each answer is an average itself


def repeats(classifier: Classifier, *, randomized: bool) -> int:
    """Answers to average at each point: 1 of a model that always says the same.

    Smoothing has averaged over noise already, so the whole is shared out between its copies and ours.

    Args:
        randomized: whether it was seen to answer differently; a part that says so of itself is believed.
    """
    if not (randomized or declares(classifier, "random")):
        return 1
    copies = max((one.samples for one in classifier.modules() if isinstance(one, Smoothing)), default=1)
    return max(_LEAST_EOT, EOT // copies)


def standard_cascade(
    classifier: Classifier, threat: ThreatModel, *, randomized: bool = False
) -> tuple[Stage, ...]:
    """The cascade for a threat, cheapest first.

    White box: the margin, cross-entropy and the ratio of logit differences, each of which fails on other
    models; then one wrong class after the other, and last random restarts and a black box, for fewer and fewer
    samples. With scores or labels only: the strongest black boxes for the geometry, each within the budget.

    Raises:
        ConfigError: no attack here can be used in such a threat model.
    """
    if threat.knowledge is Knowledge.WHITE_BOX:
        ladder = _white_box(classifier, threat)
        if randomized:
            eot = repeats(classifier, randomized=True)
            ladder = tuple(
                replace(one, attack=averaged(one.attack, eot))
                for one in ladder
                if isinstance(one.attack, GradientAttack)
            )
        return ladder
    known = threat.knowledge
    candidates = [one for one in _black_box(threat) if known >= one.needs and threat.geometry.norm in one.norms]
    fitting = tuple(Stage(attack=one) for one in candidates if one.targetable or not threat.targeted)
    if not fitting:
        raise ConfigError(
            f"no standard attacks for {threat.geometry.norm} with {known.word} knowledge"
            + (" and wanted classes" if threat.targeted else ""),
            hint="evaluate white-box, which is the stronger attacker",
        )
    return fitting


def _white_box(classifier: Classifier, threat: ThreatModel) -> tuple[Stage, ...]:
    ratio = "dlr" if classifier.num_classes >= (4 if threat.targeted else 3) else "margin"
    if threat.geometry.norm == "l0":
        return (
            Stage(attack=SparsePGD(steps=60)),
            Stage(attack=PGD(objective="margin", steps=40)),
            Stage(attack=SparsePGD(steps=200, restarts=3), share=0.3),
        )
    ladder = [
        Stage(attack=PGD(objective="margin", steps=20)),
        Stage(attack=APGD(objective="cross-entropy", steps=30)),
        Stage(attack=APGD(objective="margin", steps=40, restarts=2), share=0.2),
    ]
    one_by_one = not threat.targeted and classifier.num_classes > 3
    if one_by_one:
        ladder.append(Stage(attack=APGDT(classes=4, steps=40), share=0.2))
    ladder.append(Stage(attack=APGD(objective=ratio, steps=60, restarts=8), share=0.08))
    if one_by_one:
        ladder.append(Stage(attack=APGDT(classes=9, steps=60), share=0.04))
    if threat.geometry.norm == "l1":  # the steps of an L1 ball stall where a closest-point search does not
        ladder.append(Stage(attack=FMN(steps=100, settle=True), share=0.5))
    if threat.geometry.norm in Square.norms:
        ladder.append(Stage(attack=Square(queries=300), share=0.1))
    return tuple(ladder)


def _black_box(threat: ThreatModel) -> list[Attack]:
    most = threat.queries or 5000
    return [
        Square(queries=most),
        RayS(queries=most),
        SurFree(queries=most),
        HopSkipJump(queries=most),
        SimBA(queries=most),
    ]


def averaged(attack: Attack, eot: int) -> Attack:
    """The attack asking about every point several times, where it can and does not do so already."""
    if not isinstance(attack, GradientAttack) or attack.eot > 1:
        return attack
    return replace(attack, eot=eot)
