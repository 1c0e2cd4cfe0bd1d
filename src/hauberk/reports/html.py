"""One self-contained page: no request leaves it, no script runs in it, every text in it is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hauberk.core.evidence import Evidence
from hauberk.reports import figures, judge, numbers
from hauberk.reports.charts import STYLES, LineChart, bar
from hauberk.reports.fields import visible
from hauberk.reports.images import amplification, data_uri, perturbation, picture
from hauberk.reports.numbers import NORMS, interval, percent, radius
from hauberk.reports.summary import summarize
from hauberk.reports.views import Link, Model, Sample, Single, Summary, Threat
from hauberk.reports.words import HTML_LANG, Lang, Words

_PIXELATED = 112  # images narrower than this are shown with their pixels as squares


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
    page = _Page(summary, words)
    template = _environment().get_template("report.html.jinja")
    return template.render(
        page=page,
        summary=summary,
        t=words,
        html_lang=HTML_LANG[lang],
        title=visible(title) if title else words("title"),
        command=command,
        css=Markup(figures.style_sheet("colours.css", "chart.css", "report.css")),  # noqa: S704 our own files
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("hauberk.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    writers = (numbers.percent, numbers.interval, numbers.radius, numbers.small, numbers.amount)
    environment.filters.update({write.__name__: write for write in (*writers, numbers.seconds, numbers.short)})
    return environment


@dataclass(frozen=True)
class _Card:
    """One model's verdict on the first screen."""

    name: str
    style: int
    figure: str
    under: str
    interval: str
    sentence: str
    flags: int


@dataclass(frozen=True)
class _Tile:
    """One column of a gallery."""

    sample: Sample
    original: str
    perturbation: str
    adversarial: str
    pixelated: bool


class _Page:
    """What the template asks for beyond the summary itself."""

    def __init__(self, summary: Summary, words: Words) -> None:
        self.summary, self.words = summary, words
        self._styles = figures.styles(summary)
        self.misled = judge.misled_by_fgsm(summary)
        self.terms = judge.terms(summary)
        self.created = max(link.created for link in summary.chain)

    def style(self, name: str) -> int:
        return self._styles[name] % STYLES

    def threat(self, threat: Threat) -> str:
        """``L∞ radius 0.2``."""
        return self._short_threat(threat).strip()

    def _short_threat(self, threat: Threat) -> str:
        return self.words("threat", norm=NORMS.get(threat.norm, threat.norm), eps=radius(threat.eps))

    def full_threat(self, threat: Threat) -> str:
        """``L∞ radius 0.2, untargeted, white box, no query limit``."""
        words = self.words
        known = f"threat.{threat.knowledge}"
        return words(
            "threat.full",
            norm=NORMS.get(threat.norm, threat.norm),
            eps=radius(threat.eps),
            goal=words("threat.targeted" if threat.targeted else "threat.untargeted"),
            knowledge=words(known) if known in words else threat.knowledge,
            queries=words("threat.unlimited")
            if threat.queries is None
            else words("threat.queries", count=numbers.amount(threat.queries)),
        )

    @property
    def threats(self) -> list[str]:
        return list(dict.fromkeys(self.full_threat(part.threat) for part in self.summary.examined))

    @property
    def cards(self) -> list[_Card]:
        evaluated = {(model.name, model.threat) for model in self.summary.models}
        lone = [one for one in self.summary.singles if (one.name, one.threat) not in evaluated]
        return [*map(self._card, self.summary.models), *map(self._single_card, lone)]

    def _card(self, model: Model) -> _Card:
        words = self.words
        facts = {
            "threat": self._short_threat(model.threat),
            "clean": percent(model.clean),
            "robust": percent(model.robust),
        }
        return _Card(
            name=model.name,
            style=self.style(model.name),
            figure=percent(model.robust),
            under=words("verdict.worst"),
            interval=self._interval(model.robust_interval, model.samples),
            sentence=words(f"verdict.{judge.level(model)}", **facts),
            flags=len(model.flags),
        )

    def _single_card(self, one: Single) -> _Card:
        words = self.words
        return _Card(
            name=one.name,
            style=self.style(one.name),
            figure=percent(one.accuracy),
            under=words("verdict.under", attack=one.attack),
            interval=self._interval(one.interval, one.samples),
            sentence=words(
                "verdict.single",
                threat=self._short_threat(one.threat),
                attack=one.attack,
                clean=percent(one.clean),
                robust=percent(one.accuracy),
            ),
            flags=0,
        )

    def _interval(self, bounds: tuple[float, float], samples: int) -> str:
        return self.words("verdict.interval", interval=interval(bounds), samples=numbers.amount(samples))

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
    def galleries(self) -> list[tuple[Model | Single, str, list[_Tile]]]:
        """Each model's pictures with the factor by which its perturbations are enlarged."""
        return [
            (part, f"{amplification(part.gallery):g}", _tiles(part.gallery))
            for part in self.summary.examined
            if part.gallery
        ]

    @property
    def radius_charts(self) -> list[tuple[Markup, Markup]]:
        """Each chart twice: for wide windows, and for phones."""
        charts = figures.radius_charts(self.summary, self.words)
        return [(_drawn(chart), _drawn(chart, 380, 330, direct=False)) for chart in charts]

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
    def flagged(self) -> list[tuple[Model, str, str]]:
        return [(model, code, message) for model in self.summary.models for code, message in model.flags]

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


def _tiles(gallery: tuple[Sample, ...]) -> list[_Tile]:
    factor = amplification(gallery)
    return [
        _Tile(
            sample=sample,
            original=data_uri(picture(sample.original)),
            perturbation=data_uri(perturbation(sample, factor)),
            adversarial=data_uri(picture(sample.adversarial)),
            pixelated=max(sample.original.shape[1:]) < _PIXELATED,
        )
        for sample in gallery
    ]


def _drawn(chart: LineChart, width: int = 760, height: int = 380, *, direct: bool = True) -> Markup:
    return Markup(chart.svg(width, height, direct=direct))  # noqa: S704 charts escape their own texts


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else f"#{index + 1}"
