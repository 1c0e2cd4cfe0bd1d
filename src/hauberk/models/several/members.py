"""The frame of a module whose members are whole classifiers, each with its own normalisation and parts.

Because members stay classifiers, an evaluation can attack each of them by itself, and a package can build each
of them again from what it says about itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hauberk.core.errors import ConfigError
from hauberk.models.checks import check_classifier
from hauberk.models.classifier import Classifier


class Several(nn.Module, ABC):
    """Members, and how their answers become one.

    Class attributes:
        kind: the architecture's name in packages.

    Raises:
        ConfigError: no members.
    """

    kind: ClassVar[str]

    def __init__(self, members: Sequence[Classifier]) -> None:
        super().__init__()
        if not members:
            raise ConfigError("several models as one need at least one member")
        self.members = nn.ModuleList(members)

    def args(self) -> dict[str, Any]:
        """Keyword arguments besides the members that build it again, as JSON."""
        return {}

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(n, classes)``."""

    def answers(self, x: Tensor) -> Tensor:
        """The members' logits, ``(members, n, classes)``."""
        return torch.stack([member(x) for member in self.members])

    @property
    def classifiers(self) -> list[Classifier]:
        """The members, as what they are."""
        return [one for one in self.members if isinstance(one, Classifier)]

    def architecture(self) -> dict[str, Any] | None:
        """For ``Classifier``: names the members' architectures too. None where one of them cannot be saved."""
        if any(one.architecture is None for one in self.classifiers):
            return None
        members = [
            {key: value for key, value in one.contract().items() if key != "labels"} for one in self.classifiers
        ]
        return {"name": self.kind, "args": {**self.args(), "members": members}}

    def package_files(self) -> dict[str, bytes]:
        """Further files of the members, each member's in a folder of its own."""
        found: dict[str, bytes] = {}
        for place, member in enumerate(self.classifiers):
            give = getattr(member.module, "package_files", None)
            found |= {f"{_folder(place)}{name}": data for name, data in (give() if give else {}).items()}
        return found


def _folder(place: int) -> str:
    return f"members/{place}/"


def member_files(files: Mapping[str, bytes], place: int) -> dict[str, bytes]:
    """Of a package's files, those that ``package_files`` wrote for the member at ``place``."""
    folder = _folder(place)
    return {name.removeprefix(folder): data for name, data in files.items() if name.startswith(folder)}


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


def check_members(members: object, *, what: str) -> list[Classifier]:
    """Members that can be deployed as one model.

    Raises:
        ConfigError: fewer than two, not in eval mode, one that rejects inputs, or members that differ in shape,
            labels, bounds or device.
    """
    if not isinstance(members, Sequence) or len(members) < 2:
        raise ConfigError(f"{what} needs at least two classifiers")
    first = check_classifier(members[0])
    for one in members:
        check_fits(one, first, what=f"member of {what}")
        if one.rejects:
            raise ConfigError(
                f"a member of {what} rejects inputs: its answers cannot be weighed against the others'",
                hint="put the detector around the whole",
            )
        if one.labels != first.labels:
            raise ConfigError(f"members of {what} have labels {list(first.labels)} and {list(one.labels)}")
        if one.bounds != first.bounds:
            raise ConfigError(
                f"members of {what} take inputs in {first.bounds.describe()} and {one.bounds.describe()}"
            )
    return list(members)
