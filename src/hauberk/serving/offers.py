"""What is to be served: a source is asked again and again, and the server follows its answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hauberk.core.errors import HauberkError

if TYPE_CHECKING:
    from hauberk.models import Classifier

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""How models and versions may be called."""


@dataclass(frozen=True)
class Offer:
    """One version of one model that is to be served.

    Args:
        name, version: as callers write them; see ``NAME``.
        digest: of the package, or of the sealed file; another digest is another model.
        load: the classifier in eval mode, after everything that must hold has been checked. Called in a thread
            of its own; raises a ``HauberkError`` where the model must not be served.
        current: whether a request that names no version gets this one.
        names: all by which rules of access may speak of it now, such as its number and its aliases.
    """

    name: str
    version: str
    digest: str
    load: Callable[[], Classifier] = field(repr=False)
    current: bool = True
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Offers:
    """All that is to be served now.

    Args:
        models: what is not here is served no longer.
        revoked: reasons, by name and version; such a version answers nothing from now on.
        unread: names of which could not be found out what is to be served; they stay as they are.
    """

    models: tuple[Offer, ...]
    revoked: Mapping[tuple[str, str], str] = field(default_factory=dict)
    unread: Mapping[str, HauberkError] = field(default_factory=dict)


class Source(Protocol):
    """Where models come from: folders and files, or a vault."""

    def look(self) -> Offers:
        """What is to be served now; cheap, since it is asked every few seconds. Called in a thread of its own.

        Raises:
            HauberkError: nothing can be found out; then everything stays as it is.
        """
