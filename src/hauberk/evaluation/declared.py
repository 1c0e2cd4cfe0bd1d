"""What a defence says of itself: which of its parts hide gradients, and which draw each answer anew.

Taken at its word only where that makes the attack stronger: a part that declares nothing is still probed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hauberk.evaluation import flags
from hauberk.evaluation.flags import Flag
from hauberk.models import Classifier
from hauberk.models.parts import Part

_BRIDGED = "all gradients were taken from a stand-in that passes slopes straight through"
_GIVEN = "gradients were taken from the stand-in given"
_AS_THEY_ARE = "the attacks given were run as they are; the standard cascade bridges such parts by itself"


@dataclass(frozen=True)
class Declared:
    """Names of parts, those of an ensemble's members among them.

    Args:
        blocked: hide gradients.
        random: draw each answer anew.
    """

    blocked: tuple[str, ...]
    random: tuple[str, ...]

    @classmethod
    def by(cls, classifier: Classifier) -> Declared:
        parts = [one for one in classifier.modules() if isinstance(one, Part)]
        return cls(
            *(
                tuple(dict.fromkeys(one.name for one in parts if one.gradient == kind))
                for kind in ("blocked", "random")
            )
        )

    def answered(self, tried: tuple[str, ...], *, given: bool, eot: int) -> list[Flag]:
        """What the standard cascade did about it.

        Args:
            tried: attacks that climbed by the stand-in.
            given: whether the caller gave that.
        """
        blocked = flags.gradients_declared_blocked(self.blocked, _GIVEN if given else _BRIDGED)
        return [
            *(replace(one, tried=tried) for one in blocked),
            *flags.answers_declared_random(self.random, eot),
        ]

    def unanswered(self, *, given: bool) -> list[Flag]:
        """Where the caller named the attacks."""
        return [
            *flags.gradients_declared_blocked(self.blocked, _GIVEN if given else _AS_THEY_ARE),
            *flags.answers_declared_random(self.random, None),
        ]
