"""Several classifiers as one: what fools all of them is likelier to fool the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hauberk.core.errors import ConfigError, check_known
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier
from hauberk.models.several import Averaging, check_fits

Average = Literal["logits", "probabilities"]
AVERAGES = ("logits", "probabilities")

__all__ = ["AVERAGES", "Average", "check_fits", "ensemble"]


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
        Averaging(members, average), input_shape=first.input_shape, labels=first.labels, bounds=first.bounds
    ).eval()
