"""Attacks that look for the closest adversarial input: how far is each sample from being misread?"""

from hauberk.attacks.nearest.base import NearestAttack
from hauberk.attacks.nearest.carlini_wagner import CarliniWagner, CarliniWagnerLinf
from hauberk.attacks.nearest.deepfool import DeepFool
from hauberk.attacks.nearest.ead import EAD
from hauberk.attacks.nearest.fab import FAB
from hauberk.attacks.nearest.fmn import DDN, FMN
from hauberk.attacks.nearest.jsma import JSMA

__all__ = [
    "DDN",
    "EAD",
    "FAB",
    "FMN",
    "JSMA",
    "CarliniWagner",
    "CarliniWagnerLinf",
    "DeepFool",
    "NearestAttack",
]
