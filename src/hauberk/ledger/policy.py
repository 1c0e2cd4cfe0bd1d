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

from hauberk.core.errors import DataError, IntegrityError
from hauberk.core.files import read_bytes
from hauberk.crypto.notes import (
    Checkpoint,
    Ed25519Verifier,
    Note,
    SubtreeVerifier,
    Verified,
    Verifier,
    parse_verifier,
    verify,
)
from hauberk.ledger.checkpoint import open_checkpoint

NONE = "none"
_LARGEST = 1_000_000  # bytes
_MOST = 1024  # lines that define something; the specification asks for 96 at least


@dataclass(frozen=True)
class Party:
    """A log or a witness: its key, and where it can be reached, if the policy says so."""

    verifier: Verifier
    url: str | None = None


@dataclass(frozen=True)
class Group:
    """Counts as a witness when ``threshold`` of its members do."""

    threshold: int
    members: tuple[str, ...]


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
        return _Parsing(where).policy(text.encode() if isinstance(text, str) else text)

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
            raise IntegrityError(
                f"the head of {head.origin} at size {head.size} lacks the witnesses that the policy asks for: "
                f"quorum {self.quorum}, cosigned by {', '.join(sorted(names)) or 'none of them'}"
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


class _Parsing:
    """One policy file, line by line; names are octets, and are compared as such."""

    def __init__(self, where: str) -> None:
        self._where, self._number = where, 0
        self._logs: list[Party] = []
        self._witnesses: dict[str, Party] = {}
        self._groups: dict[str, Group] = {}
        self._quorum: str | None = None
        self._used: set[str] = set()

    def policy(self, data: bytes) -> Policy:
        if len(data) > _LARGEST or any((one < 32 and one not in b"\t\n") or one == 127 for one in data):
            raise DataError(f"{self._where} is no policy: it has control characters, or is too long")
        if data and not data.endswith(b"\n"):
            raise self._error("the last line does not end")
        for self._number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
            words = line.replace("\t", " ").split(" ")
            words = [one for one in words if one]
            if words and not words[0].startswith("#"):
                self._line(words)
        self._number = 0
        if self._quorum is None:
            raise self._error("there is no quorum line", hint="quorum none asks for no witness")
        return Policy(tuple(self._logs), self._witnesses, self._groups, self._quorum)

    def _line(self, words: list[str]) -> None:
        if len(self._logs) + len(self._witnesses) + len(self._groups) >= _MOST:
            raise self._error(f"it has more than {_MOST} logs, witnesses and groups")
        kind, *rest = words
        if kind == "log" and len(rest) in (1, 2):
            self._log(*rest)
        elif kind == "witness" and len(rest) in (2, 3):
            self._witness(*rest)
        elif kind == "group" and len(rest) >= 3:
            self._group(rest[0], rest[1], rest[2:])
        elif kind == "quorum" and len(rest) == 1:
            self._set_quorum(rest[0])
        else:
            raise self._error(
                "a line is one of: log VKEY [URL]; witness NAME VKEY [URL]; "
                "group NAME all|any|K NAME…; quorum NAME"
            )

    def _log(self, vkey: str, url: str | None = None) -> None:
        verifier = self._verifier(vkey)
        if not isinstance(verifier, Ed25519Verifier | SubtreeVerifier) or verifier.KIND == 4:
            raise self._error("a log's key is of kind 1 (Ed25519) or 6 (ML-DSA-44), this is a witness' key")
        if any(one.verifier.public == verifier.public for one in self._logs):
            raise self._error("this log's key stands twice")
        self._logs.append(Party(verifier, url))

    def _witness(self, name: str, vkey: str, url: str | None = None) -> None:
        verifier = self._verifier(vkey)
        if not verifier.COSIGNS:
            raise self._error("a witness' key is of kind 4 (Ed25519) or 6 (ML-DSA-44), this is a log's key")
        if any(one.verifier.public == verifier.public for one in self._witnesses.values()):
            raise self._error("this witness' key stands twice")
        self._define(name)
        self._witnesses[name] = Party(verifier, url)

    def _group(self, name: str, count: str, members: list[str]) -> None:
        for one in members:
            if one not in self._witnesses and one not in self._groups:
                raise self._error(f"no witness or group {_shown(one)} stands above")
            if one in self._used:
                raise self._error(f"{_shown(one)} is a member already")
            self._used.add(one)
        words = {"all": len(members), "any": 1}
        threshold = words.get(count, int(count) if count.isascii() and count.isdigit() else 0)
        if not 1 <= threshold <= len(members):
            raise self._error(f"a group asks for all, any or 1 to {len(members)} of its members")
        self._define(name)
        self._groups[name] = Group(threshold, tuple(members))

    def _set_quorum(self, name: str) -> None:
        if self._quorum is not None:
            raise self._error("there is a second quorum line")
        if name != NONE and name not in self._witnesses and name not in self._groups:
            raise self._error(f"no witness or group {_shown(name)} stands above")
        self._quorum = name

    def _define(self, name: str) -> None:
        if name == NONE or name in self._witnesses or name in self._groups:
            raise self._error(f"the name {_shown(name)} is taken")

    def _verifier(self, vkey: str) -> Verifier:
        try:
            return parse_verifier(vkey)
        except (DataError, UnicodeEncodeError) as error:
            raise self._error(str(error)) from None

    def _error(self, what: str, hint: str | None = None) -> DataError:
        line = f", line {self._number}" if self._number else ""
        return DataError(f"{self._where}{line}: {what}", hint=hint)


def _shown(name: str) -> str:
    return repr(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
