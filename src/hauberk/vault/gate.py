"""Who may: the vault asks before it does anything, and does not know who answers.

``hauberk.access`` answers from identities, roles and grants. Without it there is the owner: whoever the rights
of files let read the vault's folder and its key, and he may do everything.
"""

from __future__ import annotations

from typing import Protocol

OWNER = "owner"


class Gate(Protocol):
    """Answers for one caller."""

    @property
    def actor(self) -> str:
        """What the caller is called in the registry."""

    def check(self, action: str, model: str = "", versions: tuple[str, ...] = (), *, detail: str = "") -> None:
        """Go on only where the caller may.

        Args:
            action: such as ``model.push``.
            model: its name; empty for what is done to none.
            versions: all names of the version, number and aliases; empty where none is meant yet.
            detail: for the trail, in a few words and without secrets.

        Raises:
            AccessDenied: he may not, or nobody can write down that he did.
        """

    def refused(self, action: str, model: str, why: str, *, detail: str = "") -> None:
        """Write down that what he may do was not done, such as a question past its budget."""


class OwnerGate:
    """Lets everything through: the rights of the folder's files have decided already."""

    actor = OWNER

    def check(self, action: str, model: str = "", versions: tuple[str, ...] = (), *, detail: str = "") -> None:
        return

    def refused(self, action: str, model: str, why: str, *, detail: str = "") -> None:
        return
