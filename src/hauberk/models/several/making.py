"""Classifiers of several members: made, built again from packages, and taken apart for comparison."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from hauberk.core.errors import ConfigError, check_known
from hauberk.core.seeds import derive_seed
from hauberk.models.classifier import Classifier
from hauberk.models.several.gated import Gated
from hauberk.models.several.means import Averaging, Voting
from hauberk.models.several.members import Several, check_members

COMBINATIONS: dict[str, Callable[[Sequence[Classifier]], Several]] = {
    "average": Averaging,
    "logits": partial(Averaging, of="logits"),
    "voting": Voting,
}
"""How an ensemble answers: mean probability, mean logits, or majority."""


def ensemble(members: Sequence[Classifier], *, combine: str = "average") -> Classifier:
    """A classifier that answers for copies of all its members.

    Args:
        members: at least two, in eval mode, with the same input contract and labels, on one device.
        combine: ``average`` (of probabilities), ``logits`` (their average) or ``voting``.

    Raises:
        ConfigError: members that do not fit each other.
    """
    check_known([combine], COMBINATIONS, what="combination", where="ensemble")
    checked = check_members(members, what="an ensemble")
    return _as_one(COMBINATIONS[combine]([copy.deepcopy(one) for one in checked]), checked[0])


def fusion(members: Sequence[Classifier], *, width: int = 16, seed: int = 0) -> Classifier:
    """A classifier that weighs copies of its members by an untrained gate, which trusts all alike.

    Raises:
        ConfigError: members that do not fit each other.
    """
    checked = check_members(members, what="a fusion")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "gate"))
        module = Gated([copy.deepcopy(one) for one in checked], width)
    return _as_one(module.to(checked[0].device, checked[0].dtype), checked[0])


def _as_one(module: Several, like: Classifier) -> Classifier:
    return Classifier(
        module,
        input_shape=like.input_shape,
        labels=like.labels,
        bounds=like.bounds,
        architecture=module.architecture(),
    ).eval()


def apart(fused: Classifier) -> dict[str, Classifier]:
    """A fusion beside what it must be compared with, each as a classifier that can be evaluated.

    Returns:
        ``M1``, ``M2``, … (the members), ``average`` (of their probabilities) and ``fusion`` itself.

    Raises:
        ConfigError: not a fusion.
    """
    if not isinstance(fused.module, Gated):
        raise ConfigError("only a fusion can be taken apart; this classifier is none")
    members = fused.module.classifiers
    return {
        **{f"M{place}": member for place, member in enumerate(members, 1)},
        "average": ensemble(members),
        "fusion": fused,
    }


def rebuilt(kind: str, args: Mapping[str, Any], members: Sequence[Classifier]) -> Several:
    """The module of a package, with unfilled weights; ``args`` as in ``Several.args``.

    Raises:
        UnknownName: arguments that do not exist.
        ConfigError: arguments out of range.
    """
    where = f"architecture {kind}"
    if kind == Gated.kind:
        check_known(args, ("width",), what="argument", where=where)
        return Gated(members, **args)
    check_known(args, ("combine",), what="argument", where=where)
    check_known([args["combine"]], COMBINATIONS, what="combination", where=where)
    return COMBINATIONS[args["combine"]](members)
