"""What happened to a model, in order: its evidence, and what ledger and vault tell besides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hauberk.core.evidence import Evidence
from hauberk.reports.audit.views import Verdict
from hauberk.reports.fields import visible
from hauberk.reports.views import Link
from hauberk.reports.words import Words


@dataclass(frozen=True)
class Event:
    """Something that no evidence tells of: an entry in a ledger, a promotion in a vault.

    Args:
        at: RFC 3339.
        what: in the reader's language.
        source: ``ledger`` or ``vault``.
        who: who did it; empty where that is not known.
        digest: of what it is about, or empty.
    """

    at: str
    what: str
    source: str = "ledger"
    who: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Moment:
    """One line of the timeline; ``link`` is the document in the appendix, or empty."""

    at: str
    what: str
    about: str
    source: str
    digest: str
    link: str


def moments(
    chain: Sequence[Link], events: Iterable[Event], verdict: Verdict, words: Words, shown: set[str]
) -> list[Moment]:
    """Everything with a time, the earliest first."""
    found = [
        Moment(one.created, words(f"kind.{one.kind}"), one.name, "evidence", one.digest, one.digest)
        for one in chain
        if one.kind != "audit"
    ]
    found += [
        Moment(
            visible(one.at),
            visible(one.what),
            visible(one.who),
            "vault" if one.source == "vault" else "ledger",
            visible(one.digest),
            one.digest if one.digest in shown else "",
        )
        for one in events
    ]
    answer = words("audit.passed" if verdict.passed else "audit.failed")
    found.append(Moment(verdict.created, words("kind.audit"), answer, "audit", verdict.digest, ""))
    return sorted(found, key=lambda one: one.at)


def related(evidence: Sequence[Evidence], verdict: Verdict) -> list[Evidence]:
    """Documents of the page: those the verdict rests on, and what they build on."""
    by_digest = {one.digest: one for one in evidence}
    wanted = {digest for one in verdict.findings for digest in one.evidence}
    models = {one.digest for one in verdict.models}
    waiting = [one for one in evidence if one.digest in wanted or one.subject.get("digest") in models]
    found: dict[str, Evidence] = {}
    while waiting:
        one = waiting.pop()
        if one.digest not in found and one.kind != "audit":
            found[one.digest] = one
            waiting += [by_digest[parent] for parent in one.parents if parent in by_digest]
    return [one for one in evidence if one.digest in found]
