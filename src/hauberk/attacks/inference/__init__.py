"""Inference on people: was this record in the training data, and what does a class look like from inside?

    table = collect(target, data, shadows=shadow_models(...), inside=inside)
    scores = LiRA()(table)                      # higher: more likely a member

Attacks hand out scores or pictures; ``hauberk.evaluation`` knows the truth and judges them.
"""

from __future__ import annotations

from typing import Any

from hauberk.attacks.inference.calibrated import RMIA, LiRA, OfflineLiRA, OfflineRMIA
from hauberk.attacks.inference.inversion import GaussianInversion, GradientInversion, Inversion, InversionResult
from hauberk.attacks.inference.membership import MembershipAttack
from hauberk.attacks.inference.shadows import half_and_half, paired_halves, shadow_models
from hauberk.attacks.inference.simple import LossThreshold, ModifiedEntropy, ShadowClassifier
from hauberk.attacks.inference.table import LogitTable, collect
from hauberk.core.settings import configure

MEMBERSHIP: dict[str, type[MembershipAttack]] = {
    one.name: one
    for one in (LossThreshold, ModifiedEntropy, ShadowClassifier, OfflineLiRA, LiRA, OfflineRMIA, RMIA)
}
INVERSIONS: dict[str, type[Inversion]] = {one.name: one for one in (GradientInversion, GaussianInversion)}


def make_membership(name: str, **settings: Any) -> MembershipAttack:
    """A membership attack by its name and settings.

    Raises:
        UnknownName: no such attack, or no such setting.
        ConfigError: a setting out of range.
    """
    return configure(
        MEMBERSHIP, name, settings, what="membership attack", where="make_membership", noun="attack"
    )


def make_inversion(name: str, **settings: Any) -> Inversion:
    """An inversion by its name and settings; raises as ``make_membership``."""
    return configure(INVERSIONS, name, settings, what="inversion", where="make_inversion")


__all__ = [
    "INVERSIONS",
    "MEMBERSHIP",
    "RMIA",
    "GaussianInversion",
    "GradientInversion",
    "Inversion",
    "InversionResult",
    "LiRA",
    "LogitTable",
    "LossThreshold",
    "MembershipAttack",
    "ModifiedEntropy",
    "OfflineLiRA",
    "OfflineRMIA",
    "ShadowClassifier",
    "collect",
    "half_and_half",
    "make_inversion",
    "make_membership",
    "paired_halves",
    "shadow_models",
]
