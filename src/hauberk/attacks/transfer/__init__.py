"""Transfer: the black box that is attacked through stand-ins (the Chinese texts' PPT).

transfer = Transfer(sources=(mine, another), attack=MIFGSM(steps=10), views=(InputDiversity(),))
result = transfer(target, images, labels, ThreatModel(Linf(0.3), knowledge="labels", queries=2))
"""

from hauberk.attacks.transfer.ensemble import ensemble
from hauberk.attacks.transfer.substitute import Siege, SubstituteTransfer
from hauberk.attacks.transfer.transfer import Transfer
from hauberk.attacks.transfer.views import InputDiversity, ScaleCopies, TranslationInvariance, View

__all__ = [
    "InputDiversity",
    "ScaleCopies",
    "Siege",
    "SubstituteTransfer",
    "Transfer",
    "TranslationInvariance",
    "View",
    "ensemble",
]
