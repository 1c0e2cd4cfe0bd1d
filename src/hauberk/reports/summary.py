"""Evidence in, view records out: which documents count, in which order, every value checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hauberk.core.canonical import digest
from hauberk.core.errors import DataError
from hauberk.core.evidence import Evidence
from hauberk.reports import anonymised, certified, cleansed, detections, harm, people, sweeps
from hauberk.reports.fields import Fields, visible
from hauberk.reports.parts import HUGE, alike, flags, spent, subject_digest, subject_name, threat
from hauberk.reports.views import (
    AttackRow,
    Curve,
    Epoch,
    History,
    Import,
    Interval,
    Link,
    Model,
    Sample,
    Single,
    Summary,
)

MOST_PICTURES = 12  # of one gallery; more do not help a reader
_HISTORIES = ("training", "hardening")
_ASKED = {  # the parameters that make two documents about one model answers to two questions
    "certificates": ("threat", "method"),
    "detection": ("threat",),
    "corruptions": ("corruptions", "spatial"),
    "poisoning": ("poisoner", "poisoner_seed", "architecture"),
    "cleansing": ("defense",),
    "extraction": ("thief", "queries", "knowledge"),
    "membership": ("attacks", "shadows"),
    "inversion": ("attacks", "classes"),
    "sweep": ("over", "threat", "attack"),
}
T = TypeVar("T")


def summarize(evidence: Sequence[Evidence], *, least: int = 1) -> Summary:
    """Read documents into one ``Summary``; of two that answer the same question the latest counts.

    Args:
        least: how many documents there must be.

    Raises:
        DataError: fewer documents, or one that does not fit its schema.
    """
    if len(evidence) < least:
        raise DataError("a report needs at least one evidence document", hint="run an evaluation first")
    documents = [Fields.of(one) for one in evidence]
    chosen = _latest(documents)
    return Summary(
        models=_read(chosen, _model, "evaluation"),
        singles=_read(chosen, _single, "attack"),
        curves=_read(chosen, _curve, "curve"),
        histories=_read(_learning(chosen), _history, *_HISTORIES),
        imports=_read(chosen, _import, "import"),
        certificates=_read(chosen, certified.certificates, "certificates"),
        detections=_read(chosen, detections.detection, "detection"),
        corruptions=_read(chosen, harm.corruptions, "corruptions"),
        poisonings=_read(chosen, harm.poisoning, "poisoning"),
        cleansings=_read(chosen, cleansed.cleansing, "cleansing"),
        extractions=_read(chosen, harm.extraction, "extraction"),
        memberships=_read(chosen, harm.membership, "membership"),
        inversions=_read(chosen, harm.inversion, "inversion"),
        sweeps=_read(chosen, sweeps.sweep, "sweep"),
        deidentifications=_read(chosen, people.deidentification, "deidentification"),
        anonymizations=_read(chosen, anonymised.anonymization, "anonymization"),
        chain=_chain(documents, {one.digest for one in chosen}),
    )


def _learning(chosen: list[Fields]) -> list[Fields]:
    """All but hardenings that put a part around the network, which have no epochs."""
    return [one for one in chosen if one.section("result").absent("defences")]


def _read(chosen: list[Fields], reader: Callable[[Fields], T], *kinds: str) -> tuple[T, ...]:
    return tuple(reader(one) for one in chosen if one.text("kind") in kinds)


def _latest(documents: list[Fields]) -> list[Fields]:
    """One document per question, in the order in which the questions first came up."""
    found: dict[str, Fields] = {}
    for one in documents:
        key = _question(one)
        if key not in found or one.text("created") >= found[key].text("created"):
            found[key] = one
    return list(found.values())


def _question(document: Fields) -> str:
    """What a document answers: two with the same question are two answers, and the later one counts."""
    kind = document.text("kind")
    parts: list[Any] = [kind, subject_name(document)]
    if kind in ("evaluation", "attack", "curve"):
        parts.append(threat(document).__dict__)
    if kind in ("attack", "curve"):
        parts.append(document.section("parameters").recipe("attack"))
    if kind in _ASKED:
        parameters = document.section("parameters")
        parts += [None if parameters.absent(key) else parameters.raw(key) for key in _ASKED[kind]]
    return digest(parts)


def _model(document: Fields) -> Model:
    result = document.section("result")
    return Model(
        name=subject_name(document),
        digest=subject_digest(document),
        threat=threat(document),
        samples=result.count("samples"),
        clean=result.fraction("clean_accuracy"),
        clean_interval=result.interval("clean_interval"),
        robust=result.fraction("robust_accuracy"),
        robust_interval=result.interval("robust_interval"),
        attacks=_attacks(result),
        flags=flags(result),
        gallery=_gallery(result),
        spent=spent(result),
        evidence=document.digest,
    )


def _attacks(result: Fields) -> tuple[AttackRow, ...]:
    """The attacks in order; a name that stands twice gets a number, so that columns stay apart."""
    seen: Counter[str] = Counter()
    rows = []
    for one in result.sections("attacks"):
        name = one.text("name")
        seen[name] += 1
        rows.append(_attack(one, name if seen[name] == 1 else f"{name} ({seen[name]})"))
    return tuple(rows)


def _attack(one: Fields, name: str) -> AttackRow:
    return AttackRow(
        name=name,
        recipe=one.recipe("recipe")[1],
        attacked=one.count("attacked"),
        broke=one.count("broke"),
        alone_accuracy=one.maybe_number("alone_accuracy", 0, 1),
        robust_after=one.maybe_number("robust_after", 0, 1),
        queries_mean=one.maybe_number("queries_mean", 0),
        seconds=one.maybe_number("seconds", 0),
        invalid=one.maybe_count("invalid") or 0,
    )


def _gallery(result: Fields) -> tuple[Sample, ...]:
    if result.absent("gallery"):  # pictures are for looking at; figures stand without them
        return ()
    return tuple(_sample(one) for one in result.sections("gallery")[:MOST_PICTURES])


def _sample(one: Fields) -> Sample:
    original, adversarial = alike(one, "original", "adversarial")
    return Sample(
        index=one.count("index"),
        label=one.label("label"),
        clean_prediction=one.label("clean_prediction"),
        prediction=one.label("prediction"),
        by=one.maybe_text("by"),
        distance=one.maybe_number("distance", 0),
        original=original,
        adversarial=adversarial,
    )


def _single(document: Fields) -> Single:
    result = document.section("result")
    attack, recipe = document.section("parameters").recipe("attack")
    return Single(
        name=subject_name(document),
        digest=subject_digest(document),
        threat=threat(document),
        attack=attack,
        recipe=recipe,
        samples=result.count("samples"),
        clean=result.fraction("clean_accuracy"),
        accuracy=result.fraction("accuracy"),
        interval=result.interval("interval"),
        broke=result.count("broke"),
        queries_mean=result.maybe_number("queries_mean", 0),
        distance_median=result.maybe_number("distance_median", 0),
        invalid=result.maybe_count("invalid") or 0,
        flags=() if result.absent("flags") else flags(result),
        gallery=_gallery(result),
        spent=spent(result),
        evidence=document.digest,
    )


def _curve(document: Fields) -> Curve:
    result = document.section("result")
    attack, recipe = document.section("parameters").recipe("attack")
    points = sorted(_point(one) for one in result.sections("points"))
    return Curve(
        name=subject_name(document),
        threat=threat(document),
        attack=attack,
        recipe=recipe,
        points=tuple(points),
        samples=result.count("samples"),
        evidence=document.digest,
    )


def _point(one: Fields) -> tuple[float, float, Interval]:
    return one.number("eps", 0, HUGE), one.fraction("accuracy"), one.interval("interval")


def _history(document: Fields) -> History:
    result = document.section("result")
    epochs = sorted((_epoch(one) for one in result.sections("history")), key=lambda row: row.epoch)
    return History(
        name=subject_name(document),
        kind=document.text("kind"),
        method=document.section("parameters").maybe_text("method"),
        epochs=tuple(epochs),
        best_epoch=result.maybe_count("best_epoch"),
        parameters_count=result.maybe_count("parameters_count"),
        evidence=document.digest,
    )


def _epoch(row: Fields) -> Epoch:
    return Epoch(
        epoch=row.count("epoch"),
        loss=row.maybe_number("loss", -HUGE, HUGE),
        train_accuracy=row.maybe_number("train_accuracy", 0, 1),
        held_out_accuracy=row.maybe_number("held_out_accuracy", 0, 1),
        held_out_robust=row.maybe_number("held_out_robust", 0, 1),
        eps=row.maybe_number("eps", 0),
        seconds=row.maybe_number("seconds", 0),
    )


def _import(document: Fields) -> Import:
    result = document.section("result")
    return Import(
        name=subject_name(document),
        format=document.section("parameters").text("format"),
        largest_difference=result.maybe_number("largest_difference", 0),
        probes=result.count("probes"),
        conversions=result.texts("conversions"),
        evidence=document.digest,
    )


def _chain(documents: list[Fields], shown: set[str]) -> tuple[Link, ...]:
    unique = {one.digest: one for one in documents}
    return tuple(_link(one, shown=one.digest in shown) for one in unique.values())


def _link(document: Fields, *, shown: bool) -> Link:
    versions = document.section("versions")
    return Link(
        kind=document.text("kind"),
        name=subject_name(document),
        digest=document.digest,
        parents=document.texts("parents"),
        seed=document.maybe_count("seed"),
        duration_s=document.number("duration_s", 0),
        created=document.text("created"),
        versions=tuple((visible(name), versions.text(name)) for name in versions.names()),
        shown=shown,
    )
