"""Attacks hand out candidates; ``hauberk.evaluation`` judges them.

attack = PGD(steps=40, restarts=5)
result = attack(classifier, images, labels, Linf(0.3), seed=1)
"""

from __future__ import annotations

from typing import Any

from hauberk.attacks.advgan import AdvGAN, AdvGANPlan, TrainedGenerator, train_advgan
from hauberk.attacks.apgd import APGD, APGDT
from hauberk.attacks.attack import Attack
from hauberk.attacks.fgsm import FGSM, RFGSM
from hauberk.attacks.mbgd import MBGD, stream
from hauberk.attacks.nearest import (
    DDN,
    EAD,
    FAB,
    FMN,
    JSMA,
    CarliniWagner,
    CarliniWagnerLinf,
    DeepFool,
)
from hauberk.attacks.objectives import DLR, CrossEntropy, Margin
from hauberk.attacks.pgd import BIM, MIFGSM, PGD
from hauberk.attacks.query import NES, SPSA, Boundary, HopSkipJump, RayS, SimBA, Square, SurFree
from hauberk.attacks.result import AttackResult
from hauberk.attacks.sparse import SparsePGD
from hauberk.core.settings import configure

ATTACKS: dict[str, type[Attack]] = {
    one.name: one
    for one in (
        FGSM,
        RFGSM,
        BIM,
        PGD,
        MIFGSM,
        MBGD,
        APGD,
        APGDT,
        CarliniWagner,
        CarliniWagnerLinf,
        DDN,
        DeepFool,
        EAD,
        FAB,
        FMN,
        JSMA,
        SparsePGD,
        Square,
        NES,
        SPSA,
        SimBA,
        Boundary,
        HopSkipJump,
        RayS,
        SurFree,
    )
}


def make(name: str, **settings: Any) -> Attack:
    """An attack by its name and settings, refusing what does not exist.

    Raises:
        UnknownName: no such attack, or no such setting.
        ConfigError: a setting out of range.
    """
    return configure(ATTACKS, name, settings, what="attack", where="attacks.make")


__all__ = [
    "APGD",
    "APGDT",
    "ATTACKS",
    "BIM",
    "DDN",
    "DLR",
    "EAD",
    "FAB",
    "FGSM",
    "FMN",
    "JSMA",
    "MBGD",
    "MIFGSM",
    "NES",
    "PGD",
    "RFGSM",
    "SPSA",
    "AdvGAN",
    "AdvGANPlan",
    "Attack",
    "AttackResult",
    "Boundary",
    "CarliniWagner",
    "CarliniWagnerLinf",
    "CrossEntropy",
    "DeepFool",
    "HopSkipJump",
    "Margin",
    "RayS",
    "SimBA",
    "SparsePGD",
    "Square",
    "SurFree",
    "TrainedGenerator",
    "make",
    "stream",
    "train_advgan",
]
