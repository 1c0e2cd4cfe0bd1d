"""Whom to believe about a log: its key, and how many of which witnesses (c2sp.org/tlog-policy).

    log example.com/models+1f2e…+AX…  https://logs.example.com/models
    witness first  one.example+…      https://one.example
    witness second two.example+…
    group both all first second
    quorum both

A name in the file (``first``) has no meaning outside it; the key's own name (``one.example``) stands in
signatures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hauberk.core.errors import IntegrityError
from hauberk.core.files import read_bytes
from hauberk.crypto.notes import Checkpoint, Note, Verified, Verifier, verify
from hauberk.ledger.checkpoint import open_checkpoint
from hauberk.ledger.policy_text import NONE, Group, Party, read_policy, shown


@dataclass(frozen=True)
class Policy:
    """Logs, witnesses and groups of them, and which one must have cosigned.

    Args:
        quorum: the name of a witness or group, or ``none``.
    """

    logs: tuple[Party, ...] = ()
    witnesses: Mapping[str, Party] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = NONE

    @classmethod
    def of_log(cls, verifier: Verifier) -> Policy:
        """One log and no witness."""
        return cls(logs=(Party(verifier),))

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Read a policy file; raises as ``parse``."""
        return cls.parse(read_bytes(path, what="policy file"), where=str(path))

    @classmethod
    def parse(cls, text: bytes | str, *, where: str = "policy") -> Policy:
        """Read the text of a policy.

        Raises:
            DataError: with the line that is not in order.
        """
        return cls(*read_policy(text.encode() if isinstance(text, str) else text, where=where))

    def check_log(self, signed: bytes | Note) -> Checkpoint:
        """The head, if a log of this policy signed it; witnesses are not asked for.

        Raises:
            IntegrityError: none did.
        """
        if not self.logs:
            raise IntegrityError("the policy names no log, so that no head can be believed")
        return open_checkpoint(signed, [one.verifier for one in self.logs])

    def check(self, signed: bytes | Note) -> Checkpoint:
        """The head, if a log of this policy signed it and its quorum of witnesses cosigned it.

        Raises:
            IntegrityError: one of the two is not so, or a signature of a key in the policy does not hold.
        """
        note = signed if isinstance(signed, Note) else Note.parse(signed)
        head = self.check_log(note)
        names = {self._name(one.verifier) for one in self.cosignatures(note)}
        if not self.reached(names):
            seen = ", ".join(map(shown, sorted(names))) or "none of them"
            raise IntegrityError(
                f"the head of {head.origin} at size {head.size} lacks the witnesses that the policy asks for: "
                f"quorum {shown(self.quorum)}, cosigned by {seen}"
            )
        return head

    def cosignatures(self, signed: bytes | Note) -> tuple[Verified, ...]:
        """The cosignatures of this policy's witnesses on a note; none of them is needed here.

        Raises:
            IntegrityError: one of them does not hold.
        """
        note = signed if isinstance(signed, Note) else Note.parse(signed)
        known = [one.verifier for one in self.witnesses.values()]
        if not any(one.made(signature) for one in known for signature in note.signatures):
            return ()
        return verify(note, known)

    def reached(self, names: set[str]) -> bool:
        """Whether these witnesses are enough."""
        return self.quorum == NONE or self._counts(self.quorum, names)

    def _counts(self, name: str, names: set[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in names
        return sum(self._counts(one, names) for one in group.members) >= group.threshold

    def _name(self, verifier: Verifier) -> str:
        return next(name for name, party in self.witnesses.items() if party.verifier == verifier)
