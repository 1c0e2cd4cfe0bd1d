"""Models from a vault: of each name the version that an alias stands for, as it is promoted or revoked.

What must hold before a version is loaded stands in ``serving.of_vault``: ``load`` refuses what must not be
served.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from hauberk.core.errors import DataError, HauberkError
from hauberk.serving.offers import Offer, Offers

if TYPE_CHECKING:
    from hauberk.models import Classifier

IN_USE = "production"


class Revoked(Protocol):
    """That a version must not be used."""

    @property
    def reason(self) -> str: ...


class Version(Protocol):
    """One immutable version, as a vault's registry tells of it."""

    @property
    def number(self) -> int: ...

    @property
    def digest(self) -> str: ...

    @property
    def aliases(self) -> tuple[str, ...]: ...

    @property
    def revoked(self) -> Revoked | None: ...

    @property
    def names(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class VaultSource:
    """Some names of a vault.

    Args:
        names: each a model's name, or ``NAME@ALIAS`` for another alias than ``production``, or ``NAME@3``.
        versions: all versions of a model; raises a ``HauberkError`` where there is none.
        load: the classifier of a version, after everything that must hold was checked. It is told as well by
            which alias the version was found; None where its number was asked for.
    """

    names: Sequence[str]
    versions: Callable[[str], Sequence[Version]]
    load: Callable[[str, int, str | None], Classifier]

    def look(self) -> Offers:
        """As ``Source``; a name whose alias stands for nothing is ``unread``, and what it served goes on."""
        models: list[Offer] = []
        revoked: dict[tuple[str, str], str] = {}
        unread: dict[str, HauberkError] = {}
        for text in self.names:
            name, _at, wanted = text.partition("@")
            try:
                found = self.versions(name)
                revoked |= {(name, str(row.number)): row.revoked.reason for row in found if row.revoked}
                one = _chosen(found, name, wanted or IN_USE)
            except HauberkError as error:
                unread[name] = error
                continue
            number = str(one.number)
            alias = None if wanted == number else wanted or IN_USE
            load = partial(self.load, name, one.number, alias)
            models.append(Offer(name, number, one.digest, load, names=one.names))
        return Offers(tuple(models), revoked, unread)


def _chosen(found: Sequence[Version], name: str, wanted: str) -> Version:
    for one in found:
        if wanted in (str(one.number), *one.aliases):
            return one
    raise DataError(
        f"no version of '{name}' is called '{wanted}'", hint=f"hauberk vault show {name} lists them"
    )
