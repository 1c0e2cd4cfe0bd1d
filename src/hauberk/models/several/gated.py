"""Fusion: a small network looks at the image and at the members' answers, and says whom to trust."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hauberk.core.settings import require_count
from hauberk.models.classifier import Classifier
from hauberk.models.several.members import Several
from hauberk.threats.bounds import Bounds

_GRID = 2  # the image's features are averaged over a grid of this side, so that any image size will do


class Gate(nn.Module):
    """Weights for the members, from the image and the members' probabilities.

    It starts with equal weights for all: the plain average.

    Args:
        shape, bounds: of one input.
        members, classes: how many of each.
        width: filters of its first convolution; everything else grows with it.
    """

    def __init__(self, shape: tuple[int, ...], bounds: Bounds, members: int, classes: int, width: int) -> None:
        super().__init__()
        self._bounds = bounds
        if len(shape) == 3:
            self.eye = nn.Sequential(
                nn.Conv2d(shape[0], width, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(_GRID),
                nn.Flatten(),
            )
            seen = 2 * width * _GRID**2
        else:
            self.eye = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 4 * width), nn.ReLU())
            seen = 4 * width
        self.judge = nn.Sequential(
            nn.Linear(seen + members * classes, 4 * width), nn.ReLU(), nn.Linear(4 * width, members)
        )
        with torch.no_grad():
            for one in self.judge[-1].parameters():
                one.zero_()

    def forward(self, x: Tensor, probabilities: Tensor) -> Tensor:
        """Log weights ``(n, members)`` of the members, given their probabilities ``(members, n, classes)``."""
        lower, upper = self._bounds.tensors(x)
        seen = self.eye((x - lower) / (upper - lower) * 2 - 1)
        said = probabilities.transpose(0, 1).flatten(1)  # (members, n, classes) -> (n, members * classes)
        judged: Tensor = self.judge(torch.cat([seen, said], dim=1))
        return judged.log_softmax(dim=1)


class Gated(Several):
    """The members' probabilities, weighted for each input by a ``Gate``.

    Limits: the gate is part of the model and can be attacked with it. An attacker who sees the model turns it
    towards the weaker member if that helps; only training against such attacks says how far he gets.
    """

    kind: ClassVar[str] = "fusion"

    def __init__(self, members: Sequence[Classifier], width: int = 16) -> None:
        super().__init__(members)
        require_count("width", width, "fusion")
        self.width = width
        first = members[0]
        self.gate = Gate(first.input_shape, first.bounds, len(members), first.num_classes, width)

    def args(self) -> dict[str, Any]:
        return {"width": self.width}

    def forward(self, x: Tensor) -> Tensor:
        answers = self.answers(x).log_softmax(dim=2)
        weights: Tensor = self.gate(x, answers.exp())
        # (n, members) -> (members, n, 1)
        return (answers + weights.T.unsqueeze(2)).logsumexp(dim=0)

    def shares(self, x: Tensor) -> Tensor:
        """What each member counts for each input: ``(n, members)`` in [0, 1], rows sum to 1."""
        log_shares: Tensor = self.gate(x, self.answers(x).softmax(dim=2))
        return log_shares.exp()
