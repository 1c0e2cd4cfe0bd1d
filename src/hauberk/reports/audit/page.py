"""The page of an assessment: what its template asks for beyond the verdict itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hauberk.core.errors import DataError
from hauberk.core.evidence import Evidence
from hauberk.reports import figures
from hauberk.reports.audit.comparing import Comparison, compare
from hauberk.reports.audit.numbers import Number, five
from hauberk.reports.audit.reading import read_verdict
from hauberk.reports.audit.timeline import Event, Moment, moments, related
from hauberk.reports.audit.views import STATES, Finding, Rule, Verdict
from hauberk.reports.fields import visible
from hauberk.reports.html import Page, environment
from hauberk.reports.numbers import short
from hauberk.reports.summary import summarize
from hauberk.reports.words import HTML_LANG, Lang, Words

_FIRST = 8  # things to do on the first screen; the others stand with their rules
_MARKS = {"failed": "✗", "unknown": "?", "waived": "~", "passed": "✓", "not-applicable": "–"}


def render_audit(
    verdict: Evidence,
    evidence: Sequence[Evidence] = (),
    *,
    lang: Lang = "en",
    against: Evidence | None = None,
    events: Sequence[Event] = (),
    command: str | None = None,
) -> str:
    """An assessment as one HTML page that can be mailed, printed, and opened without a network.

    Args:
        verdict: a document of the kind ``audit``.
        evidence: the documents it rests on, as far as they are at hand; pictures and the chain come from them.
            One that does not fit its schema is left out, as if it were not at hand.
        lang: ``en`` or ``zh``.
        against: another verdict: of the last release, or of another model.
        events: what ledger and vault tell besides.
        command: the line that repeats the assessment; left out when None.

    Returns:
        UTF-8 text without any outside reference; the same for the same arguments.

    Raises:
        UnknownName: no such language.
        DataError: a verdict that does not fit its specification.
        IntegrityError: a verdict whose answer is not what its findings give.

    Limits:
        The page repeats what the verdict says and computes the answer anew from its findings. It measures
        nothing and verifies no signature; the commands for that stand at its end.
    """
    words = Words(lang)
    read = read_verdict(verdict, lang)
    other = None if against is None else compare(read, read_verdict(against, lang))
    documents = [one for one in related(evidence, read) if _fits(one)]
    page = AuditPage(read, documents, words, other, events)
    template = environment().get_template("audit.html.jinja")
    return template.render(
        page=page,
        summary=page.summary,
        verdict=read,
        t=words,
        html_lang=HTML_LANG[lang],
        command=visible(command) if command else None,
        css=Markup(figures.style_sheet("colours.css", "chart.css", "report.css", "audit.css")),  # noqa: S704
    )


def _fits(document: Evidence) -> bool:
    """Whether a document can be shown; the answer stands without one that cannot."""
    try:
        summarize([document])
    except DataError:
        return False
    return True


@dataclass(frozen=True)
class Answer:
    """A rule with its findings, the worst first."""

    rule: Rule
    findings: tuple[Finding, ...]

    @property
    def state(self) -> str:
        return self.findings[0].state


class AuditPage(Page):
    """A report's page, with a verdict in front of it."""

    def __init__(
        self,
        verdict: Verdict,
        documents: Sequence[Evidence],
        words: Words,
        other: Comparison | None,
        events: Sequence[Event],
    ) -> None:
        super().__init__(summarize(documents, least=0), words)
        self.verdict, self.other, self._events = verdict, other, events

    @property
    def five(self) -> list[Number]:
        return five(self.verdict, self.summary, self.words)

    @property
    def todo(self) -> list[tuple[str, list[Finding]]]:
        """What fails the whole by rule, the worst first, and then what is open besides."""
        rest = [one for one in self.verdict.findings if one.open and one not in self.verdict.failing]
        found: dict[str, list[Finding]] = {}
        for one in (*self.verdict.failing, *rest):
            found.setdefault(one.rule, []).append(one)
        return list(found.items())[:_FIRST]

    @property
    def more(self) -> int:
        """Rules that are open and do not stand on the first screen."""
        return max(0, len({one.rule for one in self.verdict.findings if one.open}) - _FIRST)

    def answers(self, area: str) -> list[Answer]:
        """The rules of an area that have something to say here, in their order."""
        found = []
        for rule in self.verdict.rules:
            about = [one for one in self.verdict.findings if one.rule == rule.id]
            if rule.area == area and any(one.state != "not-applicable" for one in about):
                about.sort(key=lambda one: STATES.index(one.state))
                found.append(Answer(rule, tuple(about)))
        return found

    @property
    def silent(self) -> list[Rule]:
        """Rules that are not about this target, or that the policy does not ask."""
        said = {one.rule for one in self.verdict.findings if one.state != "not-applicable"}
        return [one for one in self.verdict.rules if one.id not in said]

    @property
    def areas(self) -> list[tuple[str, str, list[Answer]]]:
        """Each area with its name and its rules."""
        return [(one, self._area(one), found) for one in self.verdict.areas if (found := self.answers(one))]

    def _area(self, name: str) -> str:
        key = f"audit.area.{name}"
        return self.words(key) if key in self.words else name

    def mark(self, state: str) -> str:
        """A sign beside the colour: a page may be printed in black."""
        return _MARKS[state]

    def kind_of(self, name: str) -> str:
        """A subject's kind in the page's language."""
        key = f"audit.kind.{name}"
        return self.words(key) if key in self.words else name

    def standing(self, name: str) -> str:
        key = f"audit.standing.{name.replace(' ', '-')}"
        return self.words(key) if key in self.words else name

    @property
    def moments(self) -> list[Moment]:
        return moments(self.summary.chain, self._events, self.verdict, self.words, self.present)

    @property
    def clauses(self) -> list[tuple[str, list[tuple[str, list[Rule]]]]]:
        """Names that others give the threats, by list, with the rules that bear on each."""
        found: dict[str, dict[str, dict[str, Rule]]] = {}
        for one in self.verdict.findings:
            if one.state != "not-applicable":
                for source, names in one.names:
                    for name in names:
                        rules = found.setdefault(source, {}).setdefault(name, {})
                        rules[one.rule] = self.verdict.rule(one.rule)
        return [
            (
                self.words(f"audit.names.{source}"),
                [(name, list(rules.values())) for name, rules in named.items()],
            )
            for source, named in found.items()
        ]

    def worst_of(self, rule: Rule) -> str:
        """The worst state of a rule's findings."""
        return min((one.state for one in self.verdict.findings if one.rule == rule.id), key=STATES.index)

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        verdict, words = self.verdict, self.words
        if verdict.changed:
            return words("audit.headline.changed", count=len(verdict.changed))
        if verdict.passed:
            rules = len({one.rule for one in verdict.of("passed")})
            waived = len({one.rule for one in verdict.of("waived")})
            return words(
                "audit.headline.waived" if waived else "audit.headline.passed", rules=rules, waived=waived
            )
        if not verdict.failing:
            return words("audit.headline.nothing")
        open_rules = list(dict.fromkeys(one.rule for one in verdict.failing))
        first = verdict.failing[0]
        return words(
            "audit.headline.failed",
            count=len(open_rules),
            severity=words(f"audit.severity.{first.severity}"),
            first=verdict.rule(first.rule).title,
        )

    @property
    def unknown(self) -> int:
        """Rules that nobody could decide."""
        return len({one.rule for one in self.verdict.failing if one.state == "unknown"})

    def known_document(self, digest: str) -> bool:
        """Whether the appendix has it."""
        return digest in self.present

    def anchor(self, digest: str) -> str:
        return f"e-{short(digest)}"
