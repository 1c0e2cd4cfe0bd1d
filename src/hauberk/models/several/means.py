"""Ensembles without weights of their own: the mean answer, and the majority."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.models.classifier import Classifier
from hauberk.models.several.members import Several

_LEAD = 0.01  # of the voted class, in logits, where the mean would have said another; a step even in bfloat16


class Averaging(Several):
    """The members' mean answer.

    Args:
        of: ``probabilities`` (the logits are the logarithm of the mean probability) or ``logits``.

    Limits: adds nothing that an attacker cannot differentiate; robust where most of its members are.
    """

    kind: ClassVar[str] = "ensemble"

    def __init__(
        self, members: Sequence[Classifier], of: Literal["logits", "probabilities"] = "probabilities"
    ) -> None:
        super().__init__(members)
        self.of = of

    def args(self) -> dict[str, Any]:
        return {"combine": "average" if self.of == "probabilities" else "logits"}

    def forward(self, x: Tensor) -> Tensor:
        answers = self.answers(x)
        return _log_mean(answers) if self.of == "probabilities" else answers.mean(dim=0)


class Voting(Several):
    """The majority of the members' answers; ties are broken by the mean probability.

    The logits are the logarithm of the mean probability, except where the majority wants another class: there
    that class's logit is lifted just above the others. So the gradients are those of ``Averaging`` everywhere.
    Counted votes have none, and would make the model look robust to whoever differentiates them.

    Limits: no more robust than the average; what persuades most members wins.
    """

    kind: ClassVar[str] = "ensemble"

    def args(self) -> dict[str, Any]:
        return {"combine": "voting"}

    def forward(self, x: Tensor) -> Tensor:
        answers = self.answers(x)
        mean = _log_mean(answers)
        # without gradients, not detached: a stand-in that passes over ``detach`` must not undo the mean's slope
        with torch.no_grad():
            votes = F.one_hot(answers.argmax(dim=2), mean.shape[1]).sum(dim=0)
            most = votes == votes.amax(dim=1, keepdim=True)
            winner = mean.masked_fill(~most, -math.inf).argmax(dim=1, keepdim=True)
            behind = mean.amax(dim=1, keepdim=True) - mean.gather(1, winner)
            lift = (behind + _LEAD) * (winner != mean.argmax(dim=1, keepdim=True))
            lifted = torch.zeros_like(mean).scatter(1, winner, lift)
        return mean + lifted


def _log_mean(answers: Tensor) -> Tensor:
    """Logarithm of the mean probability ``(n, classes)``, without leaving the logarithms."""
    return answers.log_softmax(dim=2).logsumexp(dim=0) - math.log(len(answers))
