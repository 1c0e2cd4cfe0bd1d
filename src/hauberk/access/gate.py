"""The vault's gate with people at it: every action is decided and written down before it happens."""

from __future__ import annotations

from hauberk.access.deciding import Caller, Question
from hauberk.access.entering import Access, Circumstances


class AccessGate:
    """Answers for one caller; what ``hauberk.vault.gate.Gate`` asks for.

    Args:
        caller: who was recognised.
        where: where his requests come from.
    """

    def __init__(self, access: Access, caller: Caller, where: Circumstances | None = None) -> None:
        self.access, self.caller, self._where = access, caller, where or Circumstances()

    @property
    def actor(self) -> str:
        return self.caller.name

    def check(self, action: str, model: str = "", versions: tuple[str, ...] = (), *, detail: str = "") -> None:
        """Go on only where the caller may.

        Raises:
            AccessDenied: he may not, or nothing could be written into the trail.
        """
        self.access.require(self.caller, Question(action, model, versions), self._doing(detail))

    def refused(self, action: str, model: str, why: str, *, detail: str = "") -> None:
        """Write down that what he may do was not done.

        Raises:
            TrailUnavailable: that could not be written.
        """
        self.access.refused(self.caller, Question(action, model), why, self._doing(detail))

    def _doing(self, detail: str) -> Circumstances:
        return Circumstances(self._where.source, self._where.request, detail)
