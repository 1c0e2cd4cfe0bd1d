"""One self-contained page: no request leaves it, no script runs in it, every text in it is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hauberk.core.evidence import Evidence
from hauberk.reports import figures, galleries, judge, numbers, sweeps
from hauberk.reports.cards import Card, Cards, short_threat
from hauberk.reports.charts import STYLES, LineChart, bar
from hauberk.reports.fields import visible
from hauberk.reports.galleries import Tile
from hauberk.reports.images import amplification
from hauberk.reports.numbers import NORMS, interval, percent, radius
from hauberk.reports.summary import summarize
from hauberk.reports.views import Detection, Flag, Link, Membership, Model, Single, Summary, Sweep, Threat
from hauberk.reports.words import HTML_LANG, Lang, Words

DARKEST = 0.42  # opacity of a cell's tint at accuracy 0; the text on it stays readable, in the dark too
_LIMITED = (
    "certificates",
    "detections",
    "corruptions",
    "poisonings",
    "cleansings",
    "extractions",
    "memberships",
    "inversions",
    "sweeps",
    "deidentifications",
    "anonymizations",
)


def render_html(
    evidence: Sequence[Evidence],
    *,
    lang: Lang = "en",
    title: str | None = None,
    command: str | None = None,
) -> str:
    """A report as one HTML page that can be mailed, printed, and opened without a network.

    Args:
        evidence: documents of any kinds, models in the order in which they should stand. Of two that answer
            the same question (same kind, name and threat) the later one is shown; both stand in the appendix.
        lang: ``en`` or ``zh``.
        title: heading of the page, or None for the usual one.
        command: the line that repeats the run, shown at the end; left out when None.

    Returns:
        UTF-8 text without any outside reference; the same for the same arguments.

    Raises:
        UnknownName: no such language.
        DataError: no evidence, or a document that does not fit its schema (its digest and the key are named).

    Limits:
        The page repeats what the evidence says. It verifies no signature and recomputes no figure.
    """
    words = Words(lang)
    summary = summarize(evidence)
    page = Page(summary, words)
    template = environment().get_template("report.html.jinja")
    return template.render(
        page=page,
        summary=summary,
        t=words,
        html_lang=HTML_LANG[lang],
        title=visible(title) if title else words("people.title" if judge.only_people(summary) else "title"),
        command=command,
        css=Markup(figures.style_sheet("colours.css", "chart.css", "report.css")),  # noqa: S704 our own files
    )


@cache
def environment() -> Environment:
    """The templates, with the ways in which figures are written; whatever stands in a page is escaped."""
    made = Environment(
        loader=PackageLoader("hauberk.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    writers = (numbers.percent, numbers.interval, numbers.radius, numbers.small, numbers.amount, numbers.share)
    made.filters.update({write.__name__: write for write in (*writers, numbers.seconds, numbers.short)})
    shown = (
        galleries.corrupted,
        galleries.poisoned,
        galleries.portraits,
        galleries.shot,
        galleries.stamps,
        galleries.suspicious,
    )
    made.filters.update({show.__name__: show for show in shown})
    return made


class Page:
    """What the template asks for beyond the summary itself."""

    def __init__(self, summary: Summary, words: Words) -> None:
        self.summary, self.words = summary, words
        self._styles = figures.styles(summary)
        self.misled = judge.misled_by_fgsm(summary)
        self.terms = judge.terms(summary)
        self.created = max((link.created for link in summary.chain), default="")

    def style(self, name: str) -> int:
        return self._styles[name] % STYLES

    def threat(self, threat: Threat) -> str:
        """``L∞ radius 0.2``."""
        return short_threat(threat, self.words).strip()

    def knowledge(self, word: str) -> str:
        """``scores only``."""
        known = f"threat.{word}"
        return self.words(known) if known in self.words else word

    def full_threat(self, threat: Threat) -> str:
        """``L∞ radius 0.2, untargeted, white box, no query limit``."""
        words = self.words
        return words(
            "threat.full",
            norm=NORMS.get(threat.norm, threat.norm),
            eps=radius(threat.eps),
            goal=words("threat.targeted" if threat.targeted else "threat.untargeted"),
            knowledge=self.knowledge(threat.knowledge),
            queries=words("threat.unlimited")
            if threat.queries is None
            else words("threat.queries", count=numbers.amount(threat.queries)),
        )

    @property
    def threats(self) -> list[str]:
        return list(dict.fromkeys(self.full_threat(part.threat) for part in self.summary.examined))

    @property
    def cards(self) -> list[Card]:
        return list(Cards(self.summary, self.words, self.style))

    @property
    def attack_names(self) -> list[str]:
        """The columns between clean and worst case: attacks measured alone on at least one model."""
        measured = [
            row.name for model in self.summary.models for row in model.attacks if row.alone_accuracy is not None
        ]
        return list(dict.fromkeys(measured))

    @property
    def several_threats(self) -> bool:
        return len({model.threat for model in self.summary.models}) > 1

    def bar(self, model: Model) -> Markup:
        told = self.words("models.bar", robust=percent(model.robust), interval=interval(model.robust_interval))
        return Markup(  # noqa: S704 numbers, and a title that `bar` escapes
            bar(model.robust, *model.robust_interval, style=self.style(model.name), title=told)
        )

    @property
    def galleries(self) -> list[tuple[Model | Single, str, list[Tile]]]:
        """Each model's pictures with the factor by which its perturbations are enlarged."""
        return [
            (part, f"{amplification(part.gallery):g}", galleries.tiles(part.gallery))
            for part in self.summary.examined
            if part.gallery
        ]

    @property
    def radius_charts(self) -> list[tuple[Markup, Markup]]:
        """Each chart twice: for wide windows, and for phones."""
        return _both(figures.radius_charts(self.summary, self.words))

    @property
    def query_charts(self) -> list[tuple[Markup, Markup]]:
        return _both(figures.query_charts(self.summary, self.words))

    @property
    def fidelity_charts(self) -> list[tuple[Markup, Markup]]:
        return _both(figures.fidelity_charts(self.summary, self.words))

    def roc(self, part: Membership) -> tuple[Markup, Markup]:
        """The ROC curves, for wide windows and for phones."""
        chart = figures.roc_chart(part, self.words)
        return _drawn(chart, 620, 480), _drawn(chart, 380, 380)

    def detector(self, part: Detection) -> tuple[Markup, Markup]:
        """What a detector's score finds, for wide windows and for phones."""
        chart = figures.detection_chart(part, self.words)
        return _drawn(chart, 620, 480), _drawn(chart, 380, 380)

    def sweep(self, part: Sweep) -> tuple[Markup, Markup]:
        """What one change did, for wide windows and for phones."""
        chart = sweeps.sweep_chart(part, self.words)
        return _drawn(chart, 960, 400), _drawn(chart, 380, 360)

    def sweep_axis(self, part: Sweep) -> str:
        """What was changed."""
        return sweeps.axis(part, self.words)

    @property
    def sweep_attacks(self) -> str:
        return sweeps.recipes(self.summary.sweeps)

    def heat(self, accuracy: float) -> str:
        """How strongly a cell is tinted: not at all where everything is right, up to ``DARKEST``."""
        return f"{DARKEST * (1 - accuracy):.2f}"

    def corruption(self, name: str) -> str:
        """The name of a corruption in the page's language."""
        key = f"corruption.{name}"
        return self.words(key) if key in self.words else name

    def person_type(self, name: str) -> str:
        """What tells about a person, in the page's language; own types stay as they are."""
        key = f"people.type.{name}"
        return self.words(key) if key in self.words else name

    def person_action(self, name: str) -> str:
        """What was done with it, in the page's language."""
        key = f"people.action.{name}"
        return self.words(key) if key in self.words else name

    @property
    def curve_attacks(self) -> str:
        return "; ".join(dict.fromkeys(one.recipe for one in self.summary.curves))

    @property
    def trainings(self) -> list[tuple[str, Any, list[Markup]]]:
        return [
            (
                figures.caption(history, self.words),
                history,
                [
                    _drawn(chart, 440, 290, direct=False)
                    for chart in figures.training_charts(self.summary, history, self.words)
                ],
            )
            for history in self.summary.histories
        ]

    @property
    def flagged(self) -> list[tuple[str, Flag]]:
        """Each warning with the model it is about."""
        return [(part.name, flag) for part in self.summary.cautioned for flag in part.flags]

    @property
    def limits(self) -> list[str]:
        """What the figures do not show, as far as they are here."""
        words, summary = self.words, self.summary
        found = []
        if self.threats:
            found += [words("limits.threat", threats=" / ".join(self.threats)), words("limits.empirical")]
        found += [words(f"limits.{kind}") for kind in _LIMITED if getattr(summary, kind)]
        if found:
            found += [words("limits.samples"), words("limits.origin")]
        return found

    @property
    def present(self) -> set[str]:
        """The digests a parent can be linked to."""
        return {link.digest for link in self.summary.chain}

    @property
    def dangling(self) -> bool:
        """Whether a document names a parent that is not here."""
        return any(parent not in self.present for link in self.summary.chain for parent in link.parents)

    @property
    def software(self) -> dict[tuple[tuple[str, str], ...], str]:
        """Each set of versions with a letter to stand for it in the table."""
        sets = dict.fromkeys(link.versions for link in self.summary.chain)
        return {versions: _letter(index) for index, versions in enumerate(sets)}

    def kind(self, link: Link) -> str:
        return self.words(f"kind.{link.kind}")


def _both(charts: Sequence[LineChart]) -> list[tuple[Markup, Markup]]:
    """Each chart for wide windows, and for phones."""
    return [(_drawn(chart), _drawn(chart, 380, 330, direct=False)) for chart in charts]


def _drawn(chart: LineChart, width: int = 760, height: int = 380, *, direct: bool = True) -> Markup:
    return Markup(chart.svg(width, height, direct=direct))  # noqa: S704 charts escape their own texts


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else f"#{index + 1}"
