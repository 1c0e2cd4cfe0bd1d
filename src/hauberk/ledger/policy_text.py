"""The text of a trust policy (c2sp.org/tlog-policy), line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hauberk.core.errors import DataError
from hauberk.crypto.notes import Ed25519Verifier, SubtreeVerifier, Verifier, parse_verifier

NONE = "none"
"""The quorum that asks for no witness."""

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


class Parts(NamedTuple):
    """What a policy says, by the names that it gives."""

    logs: tuple[Party, ...]
    witnesses: Mapping[str, Party]
    groups: Mapping[str, Group]
    quorum: str


def read_policy(data: bytes, *, where: str) -> Parts:
    """Read the text of a policy.

    Raises:
        DataError: with the line that is not in order.
    """
    return _Reading(where).read(data)


class _Reading:
    """One file, line by line; names are octets, and are compared as such."""

    def __init__(self, where: str) -> None:
        self._where, self._number = where, 0
        self._logs: list[Party] = []
        self._witnesses: dict[str, Party] = {}
        self._groups: dict[str, Group] = {}
        self._quorum: str | None = None
        self._used: set[str] = set()

    def read(self, data: bytes) -> Parts:
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
        return Parts(tuple(self._logs), self._witnesses, self._groups, self._quorum)

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
        if not isinstance(verifier, Ed25519Verifier | SubtreeVerifier):
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
                raise self._error(f"no witness or group {shown(one)} stands above")
            if one in self._used:
                raise self._error(f"{shown(one)} is a member already")
            self._used.add(one)
        named = {"all": len(members), "any": 1, **{str(one): one for one in range(1, len(members) + 1)}}
        threshold = named.get(count, 0)
        if not threshold:
            raise self._error(f"a group asks for all, any or 1 to {len(members)} of its members")
        self._define(name)
        self._groups[name] = Group(threshold, tuple(members))

    def _set_quorum(self, name: str) -> None:
        if self._quorum is not None:
            raise self._error("there is a second quorum line")
        if name != NONE and name not in self._witnesses and name not in self._groups:
            raise self._error(f"no witness or group {shown(name)} stands above")
        self._quorum = name

    def _define(self, name: str) -> None:
        if name == NONE or name in self._witnesses or name in self._groups:
            raise self._error(f"the name {shown(name)} is taken")

    def _verifier(self, vkey: str) -> Verifier:
        try:
            return parse_verifier(vkey)
        except (DataError, UnicodeEncodeError) as error:
            raise self._error(str(error)) from None

    def _error(self, what: str, hint: str | None = None) -> DataError:
        line = f", line {self._number}" if self._number else ""
        return DataError(f"{self._where}{line}: {what}", hint=hint)


def shown(name: str) -> str:
    """A name for messages, whatever octets it has."""
    return repr(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
