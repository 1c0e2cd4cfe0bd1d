"""The five figures of the first screen: always the same five, so that two reports can be held side by side."""

from __future__ import annotations

from dataclasses import dataclass

from hauberk.reports.audit.views import Verdict
from hauberk.reports.judge import strongest_guess
from hauberk.reports.numbers import ABSENT, NORMS, amount, interval, percent, radius
from hauberk.reports.views import Model, Summary
from hauberk.reports.words import Words

_FLAWS = "environment.vulnerable-packages"
_DRILL = "operations.backup-drill"


@dataclass(frozen=True)
class Number:
    """One figure; ``tone`` is ``good``, ``bad`` or empty, ``link`` a section of the page or empty."""

    figure: str
    label: str
    note: str
    tone: str
    link: str


def five(verdict: Verdict, summary: Summary | None, words: Words) -> list[Number]:
    """Rules met, worst case, membership, packages with flaws, documents that count."""
    return [
        _rules(verdict, words),
        _worst(verdict, summary, words),
        _members(verdict, summary, words),
        _flaws(verdict, words),
        _documents(verdict, summary, words),
    ]


def _rules(verdict: Verdict, words: Words) -> Number:
    """Of the rules that have something to say here, how many nothing is open of."""
    asked = {one.rule for one in verdict.findings if one.state != "not-applicable"}
    failing = {one.rule for one in verdict.findings if one.open}
    note = words("audit.five.rules_note", waived=len({one.rule for one in verdict.of("waived")}))
    figure = f"{len(asked) - len(failing)} / {len(asked)}"
    return Number(figure, words("audit.five.rules"), note, "bad" if failing else "good", "areas")


def lowest(summary: Summary | None) -> Model | None:
    """The model that withstands least; the figure of a house is that of its weakest door."""
    return min(summary.models, key=lambda one: one.robust, default=None) if summary else None


def _worst(verdict: Verdict, summary: Summary | None, words: Words) -> Number:
    label, tone = words("audit.five.worst"), _tone(verdict, "robustness.worst-case")
    found = lowest(summary)
    if found is None:
        return Number(ABSENT, label, words("audit.five.unmeasured"), tone, "")
    norm = NORMS.get(found.threat.norm, found.threat.norm)
    note = words(
        "audit.five.worst_note",
        interval=interval(found.robust_interval),
        norm=norm,
        eps=radius(found.threat.eps),
    )
    return Number(percent(found.robust), label, note, tone, "models")


def _members(verdict: Verdict, summary: Summary | None, words: Words) -> Number:
    label, tone = words("audit.five.members"), _tone(verdict, "privacy.membership")
    if summary is None or not summary.memberships:
        return Number(ABSENT, label, words("audit.five.unmeasured"), tone, "")
    best = max(
        (strongest_guess(one) for one in summary.memberships), key=lambda one: one.found[max(one.found)].value
    )
    found = best.found[max(best.found)]
    note = words("audit.five.members_note", attack=best.name, interval=interval(found.interval))
    return Number(percent(found.value), label, note, tone, "membership")


def _flaws(verdict: Verdict, words: Words) -> Number:
    label = words("audit.five.flaws")
    about = [one for one in verdict.findings if one.rule == _FLAWS]
    if not about or all(one.state in ("unknown", "not-applicable") for one in about):
        return Number(ABSENT, label, words("audit.five.unlooked"), _tone(verdict, _FLAWS), "")
    flawed = [one for one in about if one.state in ("failed", "waived")]
    note = words("audit.five.flaws_note", waived=sum(one.state == "waived" for one in flawed))
    return Number(amount(len(flawed)), label, note, _tone(verdict, _FLAWS), f"r-{_FLAWS}")


def _documents(verdict: Verdict, summary: Summary | None, words: Words) -> Number:
    used = {digest for one in verdict.findings for digest in one.evidence}
    note = words("audit.five.documents_note", refused=len(verdict.refused))
    # what speaks of another model may well lie there; what was edited or is too old may not
    tone = "bad" if any(one.reason != "foreign" for one in verdict.refused) else ""
    link = "chain" if summary is not None and summary.chain else ""
    return Number(amount(len(used)), words("audit.five.documents"), note, tone, link)


def _tone(verdict: Verdict, rule: str) -> str:
    about = [one for one in verdict.findings if one.rule == rule and one.state != "not-applicable"]
    if any(one.open for one in about):
        return "bad"
    return "good" if about else ""
