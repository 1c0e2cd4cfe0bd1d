"""The frame of a membership attack: a configured callable from logits to scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.inference.table import LogitTable
from hauberk.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class MembershipAttack(ABC):
    """Scores samples by how likely each was in the target's training set. Its ``repr`` is complete.

    ``needs_in`` and ``needs_out`` say of how many shadow models each sample must be, or not be, a training
    sample.
    """

    name: ClassVar[str]
    needs_in: ClassVar[int] = 0
    needs_out: ClassVar[int] = 0

    def __repr__(self) -> str:
        parts = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self))
        return f"{type(self).__name__}({parts})"

    @classmethod
    def needs_shadows(cls) -> bool:
        """Whether the attack compares with shadow models."""
        return cls.needs_in + cls.needs_out > 0

    @abstractmethod
    def score(self, table: LogitTable) -> Tensor:
        """``(n,)``, higher for likelier members."""

    def __call__(self, table: LogitTable) -> Tensor:
        """Scores, float64 ``(n,)``: higher means more likely a member. Only their order has a meaning.

        Raises:
            ConfigError: not enough shadow models with, or without, some sample.
        """
        for needed, count, how in (
            (self.needs_in, table.inside.sum(dim=0), "trained on"),
            (self.needs_out, (~table.inside).sum(dim=0), "not trained on"),
        ):
            fewest = int(count.min())
            if fewest < needed:
                raise ConfigError(
                    f"{self.name} needs at least {needed} shadow models {how} each sample; "
                    f"one sample has {fewest}",
                    hint="train more shadow models (--shadows 16)",
                )
        scores = self.score(table).double()
        assert scores.shape == table.labels.shape
        assert bool(torch.isfinite(scores).all())
        return scores
