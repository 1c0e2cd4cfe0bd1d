"""Extraction: rebuilding a model from its answers, within a budget of questions.

    theft = KnockoffNets()(victim, pool, queries=1000, knowledge="labels", seed=1)
    theft.surrogate, theft.queries

The thief hands out a surrogate; how well it imitates the victim is for ``hauberk.evaluation`` to measure.
"""

from __future__ import annotations

from typing import Any

from hauberk.attacks.extraction.choices import AdaptiveChoice, Choice, RandomChoice, UncertainChoice
from hauberk.attacks.extraction.jacobian import JacobianAugmentation
from hauberk.attacks.extraction.knockoff import KnockoffNets
from hauberk.attacks.extraction.thief import Attempt, Round, Theft, Thief
from hauberk.attacks.extraction.transcript import Transcript
from hauberk.attacks.extraction.victim import Victim
from hauberk.core.settings import configure

THIEVES: dict[str, type[Thief]] = {one.name: one for one in (KnockoffNets, JacobianAugmentation)}


def make_thief(name: str, **settings: Any) -> Thief:
    """A thief by its name and settings, refusing what does not exist.

    Raises:
        UnknownName: no such method, or no such setting.
        ConfigError: a setting out of range.
    """
    return configure(THIEVES, name, settings, what="method", where="extraction")


__all__ = [
    "THIEVES",
    "AdaptiveChoice",
    "Attempt",
    "Choice",
    "JacobianAugmentation",
    "KnockoffNets",
    "RandomChoice",
    "Round",
    "Theft",
    "Thief",
    "Transcript",
    "UncertainChoice",
    "Victim",
    "make_thief",
]
