"""Packages with known flaws: advisories about them, one entry for each flaw however many names it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from packaging.version import Version

from hauberk.assurance.environment.advisories import Advisory
from hauberk.assurance.environment.packages import Package
from hauberk.assurance.environment.ranges import fixes, is_affected
from hauberk.assurance.environment.severity import SEVERITIES, Severity

_FIRST = ("CVE-", "GHSA-", "PYSEC-", "OSV-", "MAL-")  # the name under which most people know a flaw


@dataclass(frozen=True)
class Vulnerability:
    """One flaw of one package.

    Args:
        package: what has it.
        id: the flaw's best-known name; ``aliases`` are the others.
        fixed: the least later version that is free of it by all advisories about it; empty: none is known.
    """

    package: Package
    id: str
    aliases: tuple[str, ...]
    summary: str
    severity: Severity
    fixed: str


@dataclass(frozen=True)
class Unjudged:
    """A package of which nobody can say whether it has a flaw, and why."""

    package: Package
    why: str


def judge(
    packages: Iterable[Package], about: Callable[[str], Sequence[Advisory]]
) -> tuple[list[Vulnerability], list[Unjudged]]:
    """Hold packages against what is said about them; ``about`` gives the advisories of a name.

    Returns:
        The flaws, the worst first, and the packages that could not be judged.

    Limits: a flaw that nobody has published is not found, and neither is one in code that was copied.
    """
    flaws: list[Vulnerability] = []
    unjudged: list[Unjudged] = []
    for package in packages:
        version = package.parsed
        if version is None:
            unjudged.append(Unjudged(package, _why(package)))
        else:
            flaws += _flaws(package, version, about(package.name))
    flaws.sort(
        key=lambda one: (-SEVERITIES.index(one.severity), not one.package.neighbour, one.package, one.id)
    )
    return flaws, unjudged


def _why(package: Package) -> str:
    if package.asked:
        return f"no single version is said: {package.asked}"
    return f"'{package.version}' is no version of PEP 440" if package.version else "no version is said"


def _flaws(package: Package, version: Version, said: Sequence[Advisory]) -> Iterator[Vulnerability]:
    hits = [
        one
        for one in said
        if any(each.package == package.name and is_affected(version, each) for each in one.affected)
    ]
    for group in _groups(hits):
        names = sorted({name for one in group for name in (one.id, *one.aliases)}, key=_known)
        yield Vulnerability(
            package=package,
            id=names[0],
            aliases=tuple(names[1:]),
            summary=next((one.summary for one in group if one.summary), ""),
            severity=max((one.severity for one in group), key=SEVERITIES.index),
            fixed=_fixed(package, version, group),
        )


def _groups(hits: Sequence[Advisory]) -> list[list[Advisory]]:
    """Advisories that share a name are about one flaw."""
    groups: list[tuple[set[str], list[Advisory]]] = []
    for one in hits:
        names, members = {one.id, *one.aliases}, [one]
        apart = []
        for other in groups:
            if names & other[0]:
                names |= other[0]
                members = other[1] + members
            else:
                apart.append(other)
        groups = [*apart, (names, members)]
    return [members for _, members in groups]


def _fixed(package: Package, version: Version, group: Sequence[Advisory]) -> str:
    """The least version that one of the advisories calls fixed and none of them means; empty: none is known."""
    said = [each for one in group for each in one.affected if each.package == package.name]
    better = sorted({one for each in said for one in fixes(version, each)})
    return next((str(one) for one in better if not any(is_affected(one, each) for each in said)), "")


def _known(name: str) -> tuple[int, str]:
    return next((place for place, head in enumerate(_FIRST) if name.startswith(head)), len(_FIRST)), name
