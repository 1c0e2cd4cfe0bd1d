"""Several classifiers as one: what fools all of them is likelier to fool the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from hauberk.core.errors import ConfigError, check_known
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier

Average = Literal["logits", "probabilities"]
AVERAGES = ("logits", "probabilities")


class _Mean(nn.Module):
    """The members' mean answer."""

    def __init__(self, members: Sequence[Classifier], average: Average) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self._average = average

    def forward(self, x: Tensor) -> Tensor:
        answers = [member(x) for member in self.members]
        if self._average == "probabilities":
            # the logarithm of the mean probability, without leaving the logarithms
            together = torch.stack([answer.log_softmax(dim=1) for answer in answers])
            return together.logsumexp(dim=0)
        return torch.stack(answers).mean(dim=0)


def ensemble(members: Sequence[Classifier], *, average: Average = "logits") -> Classifier:
    """A classifier that answers with its members' mean.

    Args:
        members: at least one, in eval mode, of the same input shape and number of classes, on one device.
        average: of ``logits`` (Dong et al., CVPR 2018, section 3.4, the best of three there) or
            ``probabilities`` (Liu et al., ICLR 2017, equation 8, with equal weights).

    Raises:
        ConfigError: no members, or members that do not fit each other.
    """
    check_known([average], AVERAGES, what="average", where="ensemble")
    if not isinstance(members, Sequence) or not members:
        raise ConfigError("an ensemble needs at least one classifier")
    first = check_classifier(members[0])
    for one in members[1:]:
        check_fits(one, first, what="member of an ensemble")
    if len(members) == 1:
        return first
    return Classifier(
        _Mean(members, average), input_shape=first.input_shape, labels=first.labels, bounds=first.bounds
    ).eval()


def check_fits(one: Classifier, other: Classifier, *, what: str) -> None:
    """Same question, same classes, same place.

    Raises:
        ConfigError: they differ, or one is not in eval mode.
    """
    check_classifier(one)
    if one.input_shape != other.input_shape or one.num_classes != other.num_classes:
        raise ConfigError(
            f"a {what} takes {one.input_shape} and has {one.num_classes} classes, the others "
            f"{other.input_shape} and {other.num_classes}"
        )
    if one.state_dict() and other.state_dict() and one.device != other.device:
        raise ConfigError(
            f"a {what} is on {one.device}, the others on {other.device}",
            hint="move one of them with .to(device)",
        )
