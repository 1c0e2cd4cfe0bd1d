"""Evidence of versions, read out of the vault once: it is stored encrypted, and it never changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hauberk.core.errors import HauberkError
from hauberk.core.evidence import Evidence
from hauberk.reports.numbers import NORMS, radius
from hauberk.reports.summary import summarize
from hauberk.reports.views import Model
from hauberk.vault import registry
from hauberk.vault.place import Vault
from hauberk.vault.pulling import evidence_of
from hauberk.vault.registry import Version

_MOST = 256  # versions of which evidence is kept in memory
_EVALUATION = "evaluation"


@dataclass(frozen=True)
class Measured:
    """One evaluation in figures.

    Args:
        threat: such as ``L∞ 0.2``.
        clean, robust: accuracy, from 0 to 1, and ``low`` and ``high`` the 95 % interval of ``robust``.
        cautions: how many red flags it raised.
        evidence: its digest.
    """

    name: str
    threat: str
    samples: int
    clean: float
    robust: float
    low: float
    high: float
    cautions: int
    evidence: str


@dataclass(frozen=True)
class Known:
    """What is known of one version.

    Args:
        evidence: oldest first; empty where ``unread`` says why it could not be read.
    """

    evidence: tuple[Evidence, ...]
    unread: str | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.kind for one in self.evidence))

    @cached_property
    def measured(self) -> tuple[Measured, ...]:
        """Every evaluation, the newest last; one that does not fit its schema is left out."""
        found: list[Measured] = []
        for one in self.evidence:
            if one.kind == _EVALUATION:
                try:
                    found += [_measured(model) for model in summarize([one]).models]
                except HauberkError:
                    continue
        return tuple(found)

    @property
    def newest(self) -> Measured | None:
        return self.measured[-1] if self.measured else None


class Shelf:
    """Reads evidence and remembers it, in bounded memory. Threads can share it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int, str], Known] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, vault: Vault, version: Version) -> Known:
        """What is known of a version. Whether its caller may see it was decided before."""
        name = (version.model, version.number, version.digest)
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        with vault.database.read() as connection:
            files = registry.files(connection, version.model, version.number)
        try:
            found = Known(_ordered(evidence_of(vault, files)))
        except HauberkError as error:
            return Known((), str(error))  # it may be readable the next time
        with self._lock:
            self._kept[name] = found
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return found


def _ordered(found: Sequence[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(found, key=lambda one: one.created))


def _measured(model: Model) -> Measured:
    return Measured(
        name=model.name,
        threat=f"{NORMS.get(model.threat.norm, model.threat.norm)} {radius(model.threat.eps)}",
        samples=model.samples,
        clean=model.clean,
        robust=model.robust,
        low=model.robust_interval[0],
        high=model.robust_interval[1],
        cautions=len(model.flags),
        evidence=model.evidence,
    )
