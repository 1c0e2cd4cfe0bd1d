"""KnockoffNets: label one's own images by asking the victim, and learn from the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from hauberk.attacks.extraction.choices import Choice, RandomChoice, choice
from hauberk.attacks.extraction.thief import Attempt, Thief
from hauberk.core.errors import ConfigError
from hauberk.models import Classifier


@dataclass(frozen=True, kw_only=True, repr=False)
class KnockoffNets(Thief):
    """A surrogate from a pool of one's own images, each asked about at most once.

    Args:
        choice: which images to ask about: ``random``, ``uncertain``, ``adaptive``, or a configured ``Choice``.

    Cost: as many trainings of a surrogate as the choice has rounds (one for ``random``).
    Limits: as good as the pool: images far from the victim's own teach little per query.
    Source: Orekondy, Schiele, Fritz, Knockoff nets, CVPR 2019. The pool's labels are not used, not even by
        the adaptive choice; see ``choices``.
    """

    name: ClassVar[str] = "knockoff"

    choice: Choice | str = RandomChoice()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "choice", choice(self.choice))

    def check_budget(self, queries: int, pool: int) -> None:
        if queries > pool:
            raise ConfigError(
                f"a budget of {queries} queries, but the pool has {pool} images and each is asked about once",
                hint=f"a larger pool, or at most {pool} queries",
            )

    def run(self, attempt: Attempt) -> Classifier:
        assert not isinstance(self.choice, str)
        chooser = self.choice.begin(attempt)
        free = torch.ones(len(attempt.images), dtype=torch.bool)
        surrogate: Classifier | None = None
        for count in shares(attempt.queries, min(self.choice.rounds, attempt.queries)):
            rows = chooser.choose(count, free.nonzero().squeeze(1), surrogate)
            free[rows] = False
            answers = attempt.ask(attempt.images[rows])
            chooser.learn(rows, answers, surrogate)
            surrogate = attempt.learn()
        assert surrogate is not None
        return surrogate


def shares(total: int, parts: int) -> list[int]:
    """``total`` in whole parts, none of which differs from another by more than 1."""
    return [total * (part + 1) // parts - total * part // parts for part in range(parts)]
