"""The input at its informative positions only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from hauberk.models.parts.transformation import Transformation


class Selection(Transformation):
    """Keeps the values where ``kept`` is True; the others are always their ``mean``.

    Args:
        shape: of one input.

    Limits: takes from the attacker the positions that are dropped, and nothing at those that stay.
    Source: filter methods: Guyon, Elisseeff: An introduction to variable and feature selection, JMLR 2003.
    """

    name: ClassVar[str] = "feature-selection"
    kept: Tensor
    mean: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.register_buffer("kept", torch.ones(self.shape, dtype=torch.bool))
        self.register_buffer("mean", torch.zeros(self.shape))

    def args(self) -> dict[str, Any]:
        return {"shape": list(self.shape)}

    def changed(self, x: Tensor) -> Tensor:
        return torch.where(self.kept, x, self.mean)
