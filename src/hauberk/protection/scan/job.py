"""One scan on its way: what is allowed, what was found, and how a part is handed on to who can read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hauberk.core.errors import ConfigError
from hauberk.protection.scan.finding import Finding, Unread
from hauberk.protection.scan.window import Window


@dataclass(frozen=True)
class Limits:
    """How far a scan follows a file; what goes further is a finding, never a long wait.

    Args:
        ratio: times its own size to which a packed entry may unpack; weights hardly shrink.
        unpacked_bytes: unpacked from one file, all its entries together.
        entries: of one archive.
        depth: archives within archives.
        opcodes: instructions of one pickle.
        json_bytes: the largest description that is parsed.
        library_bytes: the largest pickle handed to picklescan and fickling, which read it whole.
        findings: kept of one file.
    """

    ratio: int = 200
    unpacked_bytes: int = 4 << 30
    entries: int = 100_000
    depth: int = 6
    opcodes: int = 5_000_000
    json_bytes: int = 32 << 20
    library_bytes: int = 4 << 20
    findings: int = 200

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"Limits: {name} must be a whole number from 1 on, got {value!r}")


@dataclass(frozen=True)
class Part:
    """Something to look at: a file, or what lies within one.

    Args:
        source: its bytes.
        name: its own name; the suffix helps where content says nothing.
        where: the way to it within the file, "" for the file itself.
        depth: how many archives it lies in.
        raw: numbers are expected here: only what would really be read as a pickle counts.
    """

    source: Window
    name: str
    where: str = ""
    depth: int = 0
    raw: bool = False

    def inner(self, source: Window, name: str, *, raw: bool = False) -> Part:
        """An entry of this part."""
        return Part(source, name, f"{self.where}!{name}" if self.where else name, self.depth + 1, raw)

    def place(self, position: int) -> str:
        """A byte of it, for a finding."""
        return f"{self.where} at byte {position}" if self.where else f"byte {position}"


def plain(text: str) -> str:
    """Words from a foreign file, without what would steer a terminal."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


@dataclass
class Job:
    """One file that is being looked at.

    Args:
        path: the file's name in findings.
        inspect: looks at a part and returns its kind.
        mentioned: files beside this one that it takes its numbers from.
    """

    path: str
    limits: Limits
    inspect: Callable[[Part, Job], str]
    libraries: bool = True
    findings: list[Finding] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    mentioned: set[str] = field(default_factory=set)
    left: int = 0

    def __post_init__(self) -> None:
        self.left = self.limits.unpacked_bytes

    def find(self, rule: str, where: str, message: str, *, by: str = "hauberk") -> None:
        """Note something; the same thing seen again is noted once."""
        found = Finding(rule=rule, path=self.path, where=plain(where), message=plain(message), by=(by,))
        if found not in self.findings and len(self.findings) < self.limits.findings:
            self.findings.append(found)

    def confirm(self, where: str, message: str | None, by: str) -> bool:
        """Another scanner saw what was found already in a part: its word is added to the finding.

        Args:
            message: the finding's own; None for any import in that part that is known to be dangerous.
        """
        for place, one in enumerate(self.findings):
            same = (
                one.message == plain(message) if message is not None else one.rule == "pickle/dangerous-import"
            )
            if same and one.where.startswith(plain(where)):
                self.findings[place] = replace(one, by=tuple(dict.fromkeys((*one.by, by))))
                return True
        return False

    def missing(self, reason: str, hint: str | None = None) -> None:
        """Something could not be looked at."""
        self.unread.append(Unread(path=self.path, reason=reason, hint=hint))
