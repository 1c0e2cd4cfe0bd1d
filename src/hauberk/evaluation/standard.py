"""Which attacks stand for the worst case when nobody names any."""

from __future__ import annotations

from hauberk.attacks import APGD, PGD, Attack
from hauberk.core.errors import ConfigError
from hauberk.models import Classifier
from hauberk.threats import Knowledge, ThreatModel


def standard_attacks(classifier: Classifier, threat: ThreatModel) -> tuple[Attack, ...]:
    """A cascade for a threat, cheapest first; later ones see only what earlier ones left standing.

    Different losses fail on different models, so three are used: the margin, cross-entropy, and the ratio of
    logit differences (from three classes on, four when targeted).
    """
    if threat.knowledge < Knowledge.WHITE_BOX:
        raise ConfigError(
            f"no standard attacks for a threat model with {threat.knowledge.word} knowledge",
            hint="evaluate white-box, which is the stronger attacker",
        )
    ratio = "dlr" if classifier.num_classes >= (4 if threat.targeted else 3) else "margin"
    return (
        PGD(objective="margin", steps=20),
        APGD(objective="cross-entropy", steps=50),
        APGD(objective=ratio, steps=100),
        PGD(objective="margin", steps=50, restarts=3),
    )
