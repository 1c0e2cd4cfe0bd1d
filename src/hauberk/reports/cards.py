"""The first screen: one figure and one sentence for each answer that the evidence holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hauberk.reports import judge, numbers
from hauberk.reports.numbers import NORMS, interval, percent, radius
from hauberk.reports.views import (
    Anonymization,
    Certified,
    Cleansing,
    Corruptions,
    Deidentification,
    Detection,
    Extraction,
    Interval,
    Inversion,
    Membership,
    Model,
    Poisoning,
    Single,
    Summary,
    Threat,
)
from hauberk.reports.words import Words


@dataclass(frozen=True)
class Card:
    """One answer; ``under`` says what the figure is."""

    name: str
    style: int
    figure: str
    under: str
    interval: str
    sentence: str
    flags: int = 0


def short_threat(threat: Threat, words: Words) -> str:
    """``L∞ radius 0.2``, with the spaces that the language wants around it."""
    return words("threat", norm=NORMS.get(threat.norm, threat.norm), eps=radius(threat.eps))


def class_name(label: str, words: Words) -> str:
    """How a class is named in a sentence."""
    return words("class", label=label)


class Cards:
    """Writes the cards of a report; ``style`` gives a model's colour."""

    def __init__(self, summary: Summary, words: Words, style: Callable[[str], int]) -> None:
        self._summary, self._words, self._style = summary, words, style

    def __iter__(self) -> Iterator[Card]:
        """Evaluations, single attacks where there is no evaluation, then the other kinds."""
        summary = self._summary
        evaluated = {(model.name, model.threat) for model in summary.models}
        yield from map(self._model, summary.models)
        yield from (self._single(one) for one in summary.singles if (one.name, one.threat) not in evaluated)
        yield from map(self._certified, summary.certificates)
        yield from map(self._detection, summary.detections)
        yield from map(self._corruptions, summary.corruptions)
        yield from map(self._poisoning, summary.poisonings)
        yield from map(self._cleansing, summary.cleansings)
        yield from map(self._extraction, summary.extractions)
        yield from map(self._membership, summary.memberships)
        yield from map(self._inversion, summary.inversions)
        yield from map(self._deidentification, summary.deidentifications)
        yield from map(self._anonymization, summary.anonymizations)

    def _anonymization(self, one: Anonymization) -> Card:
        words = self._words
        highest = one.risks[0]
        return Card(
            name=one.name,
            style=self._style(one.name),
            figure=percent(highest.after),
            under=words("verdict.under_table"),
            interval=words(
                "table.rows", published=numbers.amount(one.published), rows=numbers.amount(one.rows)
            ),
            sentence=words(
                "verdict.table",
                before=percent(highest.before),
                after=percent(highest.after),
                gcp=percent(one.gcp),
                k=one.k,
            ),
        )

    def _deidentification(self, one: Deidentification) -> Card:
        words = self._words
        facts = {"findings": numbers.amount(one.findings), "records": numbers.amount(one.records)}
        sentence = words("verdict.people", **facts)
        if one.found is not None:
            sentence += words("verdict.people_found", found=percent(one.found.value))
        return Card(
            name=one.name,
            style=self._style(one.name),
            figure=words("none") if one.left is None else percent(one.left.value),
            under=words("verdict.under_people"),
            interval=words("people.looked", looked=numbers.amount(one.looked))
            if one.left is None
            else words("verdict.interval_alone", interval=interval(one.left.interval)),
            sentence=sentence,
        )

    def _model(self, model: Model) -> Card:
        words = self._words
        facts = {
            "threat": short_threat(model.threat, words),
            "clean": percent(model.clean),
            "robust": percent(model.robust),
        }
        return Card(
            name=model.name,
            style=self._style(model.name),
            figure=percent(model.robust),
            under=words("verdict.worst"),
            interval=self._interval(model.robust_interval, model.samples),
            sentence=words(f"verdict.{judge.level(model)}", **facts),
            flags=len(model.flags),
        )

    def _single(self, one: Single) -> Card:
        words = self._words
        return Card(
            name=one.name,
            style=self._style(one.name),
            figure=percent(one.accuracy),
            under=words("verdict.under", attack=one.attack),
            interval=self._interval(one.interval, one.samples),
            sentence=words(
                "verdict.single",
                threat=short_threat(one.threat, words),
                attack=one.attack,
                clean=percent(one.clean),
                robust=percent(one.accuracy),
            ),
            flags=len(one.flags),
        )

    def _certified(self, one: Certified) -> Card:
        words = self._words
        sentence = words(
            "verdict.certified",
            threat=short_threat(one.threat, words),
            certified=percent(one.certified.value),
            clean=percent(one.clean.value),
        )
        if one.confidence is not None:
            sentence += words("verdict.certified_confidence", confidence=percent(one.confidence))
        return Card(
            name=one.name,
            style=self._style(one.name),
            figure=percent(one.certified.value),
            under=words("verdict.under_certified"),
            interval=self._interval(one.certified.interval, one.samples),
            sentence=sentence,
            flags=len(one.flags),
        )

    def _detection(self, one: Detection) -> Card:
        words, aware = self._words, one.adaptive
        found = [numbers.share(attacker.detected) for attacker in (one.oblivious, aware)]
        return Card(
            name=one.name,
            style=self._style(one.name),
            figure=percent(aware.robust.value),
            under=words("verdict.under_detection"),
            interval=self._interval(aware.robust.interval, one.samples),
            sentence=words(
                "verdict.detection",
                threat=short_threat(one.threat, words),
                refused=percent(one.refused.value),
                oblivious=found[0],
                adaptive=found[1],
                clean=percent(one.clean.value),
                unknowing=percent(one.oblivious.robust.value),
                robust=percent(aware.robust.value),
            ),
            flags=len(one.flags),
        )

    def _corruptions(self, one: Corruptions) -> Card:
        words, hardest = self._words, one.hardest
        key = f"corruption.{hardest.name}"
        name = words(key) if key in words else hardest.name
        facts = {"clean": percent(one.clean.value), "name": name, "hardest": percent(hardest.accuracy)}
        if one.mean is None:
            sentence = words("verdict.corruptions_some", **facts)
        else:
            sentence = words("verdict.corruptions", mean=percent(one.mean), **facts)
        if one.spatial is not None:
            sentence += words("verdict.spatial", worst=percent(one.spatial.worst.value))
        return Card(
            name=one.name,
            style=self._style(one.name),
            figure=percent(hardest.accuracy if one.mean is None else one.mean),
            under=words("verdict.under_corruption", name=name)
            if one.mean is None
            else words("verdict.under_corruptions"),
            interval=words("verdict.samples", samples=numbers.amount(one.samples)),
            sentence=sentence,
            flags=len(one.flags),
        )

    def _poisoning(self, one: Poisoning) -> Card:
        words = self._words
        aim = next((aim for aim in judge.AIMS if getattr(one.after, aim) is not None), "accuracy")
        before, after = getattr(one.before, aim), getattr(one.after, aim)
        return Card(
            name=one.name,
            style=self._style(one.name),
            figure=percent(after.value),
            under=words(f"verdict.under_{aim}"),
            interval=words("verdict.interval_alone", interval=interval(after.interval)),
            sentence=words(
                f"verdict.poisoning_{aim}",
                poisoner=one.poisoner,
                rate=percent(one.rate),
                after=percent(after.value),
                before=words("none") if before is None else percent(before.value),
                clean_before=percent(one.before.accuracy.value),
                clean_after=percent(one.after.accuracy.value),
                source=words("class.other") if one.source is None else class_name(one.source, words),
                target=words("none") if one.target is None else class_name(one.target, words),
            ),
        )

    def _cleansing(self, one: Cleansing) -> Card:
        figure, under, bounds = self._cleansed(one)
        return Card(
            name=one.name,
            style=self._style(one.name),
            figure=figure,
            under=self._words(f"verdict.under_{under}"),
            interval=self._words("verdict.samples", samples=numbers.amount(one.samples))
            if bounds is None
            else self._words("verdict.interval_alone", interval=interval(bounds)),
            sentence="".join(self._told(one)),
        )

    def _cleansed(self, one: Cleansing) -> tuple[str, str, Interval | None]:
        """The figure that tells most, what it is, and its interval."""
        tried = [(one.recall, "recall")]
        if one.after is not None:
            tried = [(one.after.trigger_success, "trigger_success"), *tried, (one.after.accuracy, "cleansed")]
        for share, under in tried:
            if share is not None:
                return percent(share.value), under, share.interval
        if one.flagged is not None:
            return numbers.amount(one.flagged), "flagged", None
        return numbers.amount(len(one.suspected)), "suspected", None

    def _told(self, one: Cleansing) -> Iterator[str]:
        words, after = self._words, one.after
        yield words("verdict.cleansing", method=one.method, samples=numbers.amount(one.samples))
        if one.flagged is not None:
            yield words("verdict.cleansing_rows", flagged=numbers.amount(one.flagged))
        if one.recall is not None and one.precision is not None:
            yield words(
                "verdict.cleansing_truth",
                recall=percent(one.recall.value),
                precision=percent(one.precision.value),
            )
        if one.suspected:
            named = ", ".join(class_name(label, words) for label in one.suspected)
            yield words("verdict.cleansing_suspected", classes=named)
        elif one.classes:
            yield words("verdict.cleansing_none")
        if after is not None:
            for key in ("trigger_success", "accuracy"):
                first, then = getattr(one.before, key), getattr(after, key)
                if first is not None and then is not None:
                    yield words(
                        f"verdict.cleansing_{key}", before=percent(first.value), after=percent(then.value)
                    )

    def _extraction(self, one: Extraction) -> Card:
        words = self._words
        sentence = words(
            "verdict.extraction",
            queries=numbers.amount(one.queries),
            victim=one.victim,
            fidelity=percent(one.fidelity.value),
        )
        if one.transfer.share is not None:
            sentence += words("verdict.transfer", share=percent(one.transfer.share))
        return Card(
            name=one.name,
            style=self._style(one.name),
            figure=percent(one.fidelity.value),
            under=words("verdict.under_fidelity"),
            interval=self._interval(one.fidelity.interval, one.samples),
            sentence=sentence,
        )

    def _membership(self, one: Membership) -> Card:
        words, best = self._words, judge.strongest_guess(one)
        strict, loose = sorted(best.found)
        return Card(
            name=one.name,
            style=self._style(one.name),
            figure=percent(best.found[loose].value),
            under=words("verdict.under_membership"),
            interval=self._interval(best.found[loose].interval, one.members),
            sentence=words(
                "verdict.membership",
                attack=best.name,
                found=percent(best.found[loose].value),
                strict=percent(best.found[strict].value),
                auc=f"{best.auc.value:.3f}",
            ),
            flags=len(one.flags),
        )

    def _inversion(self, one: Inversion) -> Card:
        words, best = self._words, judge.clearest_inversion(one)
        return Card(
            name=one.name,
            style=self._style(one.name),
            figure=percent(best.recognised.value),
            under=words("verdict.under_inversion"),
            interval=self._interval(best.recognised.interval, one.classes),
            sentence=words(
                "verdict.inversion",
                attack=best.name,
                recognised=percent(best.recognised.value),
                noise=percent(one.random.value),
                judge=percent(one.judge_accuracy),
            ),
            flags=len(one.flags),
        )

    def _interval(self, bounds: Interval, samples: int) -> str:
        return self._words("verdict.interval", interval=interval(bounds), samples=numbers.amount(samples))
