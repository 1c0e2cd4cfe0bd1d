"""Readers for what else can happen to a model: accidents, poisoned data, theft, and what it tells of people."""

from __future__ import annotations

from hauberk.reports.fields import Fields
from hauberk.reports.images import decode
from hauberk.reports.parts import HUGE, alike, flags, maybe_share, share, subject_digest, subject_name, threat
from hauberk.reports.views import (
    CarriedOver,
    Corrupted,
    Corruption,
    Corruptions,
    Extraction,
    Guess,
    Inversion,
    Inverted,
    Learnt,
    Membership,
    PoisonedSample,
    Poisoning,
    Portrait,
    Share,
    Spatial,
    Theft,
)

MOST_SHOWN = 40  # pictures of one gallery: every corruption, or ten classes for each of a few attacks
RATES = (0.001, 0.01)  # of false alarms, at which membership attacks are compared
_MOST_SEVERE = 5


def corruptions(document: Fields) -> Corruptions:
    result = document.section("result")
    rows = tuple(_corruption(one) for one in result.sections("corruptions"))
    if not rows:
        result.fail("corruptions", "at least one corruption", [])
    return Corruptions(
        name=subject_name(document),
        digest=subject_digest(document),
        samples=result.count("samples"),
        clean=share(result, "clean_accuracy", "clean_interval"),
        rows=rows,
        mean=result.maybe_number("mean_accuracy", 0, 1),
        mce=result.maybe_number("mce", 0, HUGE),
        relative_mce=result.maybe_number("relative_mce", -HUGE, HUGE),
        spatial=None if result.absent("spatial") else _spatial(document),
        flags=flags(result),
        original=None if result.absent("original") else decode(result.section("original")),
        gallery=tuple(_corrupted(one) for one in _shown(result)),
        evidence=document.digest,
    )


def _shown(result: Fields) -> list[Fields]:
    return [] if result.absent("gallery") else result.sections("gallery")[:MOST_SHOWN]


def _corruption(row: Fields) -> Corruption:
    severities: dict[int, Share] = {}
    for one in row.sections("severities"):
        severity = _severity(one)
        if severity in severities:
            one.fail("severity", "a severity that no other entry has", severity)
        severities[severity] = share(one, "accuracy", "interval")
    return Corruption(row.text("name"), row.text("family"), row.fraction("accuracy"), severities)


def _severity(one: Fields) -> int:
    severity = one.count("severity")
    if not 1 <= severity <= _MOST_SEVERE:
        one.fail("severity", f"a whole number from 1 to {_MOST_SEVERE}", severity)
    return severity


def _spatial(document: Fields) -> Spatial:
    found = document.section("result").section("spatial")
    grid = document.section("parameters").section("spatial")
    rotation, shift = found.section("rotation"), found.section("shift")
    return Spatial(
        worst=share(found, "accuracy", "interval"),
        rotation=share(rotation, "accuracy", "interval"),
        shift=share(shift, "accuracy", "interval"),
        placements=found.count("placements"),
        degrees=grid.number("degrees", 0, 180),
        reach=grid.number("reach", 0, 1),
    )


def _corrupted(one: Fields) -> Corrupted:
    return Corrupted(
        name=one.text("name"),
        severity=_severity(one),
        label=one.label("label"),
        prediction=one.label("prediction"),
        image=decode(one.section("image")),
    )


def poisoning(document: Fields) -> Poisoning:
    result, parameters = document.section("result"), document.section("parameters")
    poisoner, recipe = parameters.recipe("poisoner")
    return Poisoning(
        name=subject_name(document),
        digest=subject_digest(document),
        poisoner=poisoner,
        recipe=recipe,
        source=maybe_label(parameters, "source"),
        target=maybe_label(parameters, "target"),
        trigger=parameters.maybe_text("trigger"),
        samples=result.count("samples"),
        touched=result.count("touched"),
        images_changed=result.count("images_changed"),
        labels_changed=result.count("labels_changed"),
        rate=result.fraction("rate"),
        test_samples=result.count("test_samples"),
        before=learnt(result.section("before")),
        after=learnt(result.section("after")),
        gallery=tuple(_poisoned(one) for one in _shown(result)),
        evidence=document.digest,
    )


def maybe_label(fields: Fields, key: str) -> str | None:
    """A class, or None."""
    return None if fields.absent(key) else fields.label(key)


def learnt(figures: Fields) -> Learnt:
    """What a model makes of test images."""
    return Learnt(
        accuracy=share(figures, "accuracy", "accuracy_interval"),
        **{
            key: maybe_share(figures, key, f"{key}_interval")
            for key in ("trigger_success", "trigger_elsewhere", "source_as_target")
        },
    )


def _poisoned(one: Fields) -> PoisonedSample:
    original, poisoned = alike(one, "original", "poisoned")
    return PoisonedSample(
        index=one.count("index"),
        label=one.label("label"),
        poisoned_label=one.label("poisoned_label"),
        original=original,
        poisoned=poisoned,
    )


def extraction(document: Fields) -> Extraction:
    result, parameters = document.section("result"), document.section("parameters")
    thief, recipe = parameters.recipe("thief")
    points = sorted((_theft(one) for one in result.sections("points")), key=lambda one: one.queries)
    return Extraction(
        name=subject_name(document),
        digest=subject_digest(document),
        victim=document.section("inputs").section("model").text("name"),
        thief=thief,
        recipe=recipe,
        knowledge=parameters.text("knowledge"),
        samples=result.count("samples"),
        queries=result.count("queries"),
        victim_accuracy=share(result.section("victim"), "accuracy", "interval"),
        accuracy=share(result.section("surrogate"), "accuracy", "interval"),
        fidelity=share(result, "fidelity", "fidelity_interval"),
        points=tuple(points),
        transfer=_carried_over(document),
        evidence=document.digest,
    )


def _theft(one: Fields) -> Theft:
    return Theft(
        queries=one.count("queries"),
        fidelity=share(one, "fidelity", "interval"),
        accuracy=share(one, "accuracy", "accuracy_interval"),
    )


def _carried_over(document: Fields) -> CarriedOver:
    found = document.section("result").section("transfer")
    return CarriedOver(
        attack=document.section("parameters").recipe("attack")[0],
        threat=threat(document),
        attacked=found.count("attacked"),
        fooled=found.count("fooled"),
        share=found.maybe_number("share", 0, 1),
        interval=found.interval("interval"),
        noise_share=found.maybe_number("noise_share", 0, 1),
        invalid=found.maybe_count("invalid") or 0,
    )


def membership(document: Fields) -> Membership:
    result = document.section("result")
    attacks = tuple(_guess(one) for one in result.sections("attacks"))
    if not attacks:
        result.fail("attacks", "at least one attack", [])
    return Membership(
        name=subject_name(document),
        digest=subject_digest(document),
        members=result.count("members"),
        non_members=result.count("non_members"),
        member_accuracy=result.fraction("member_accuracy"),
        non_member_accuracy=result.fraction("non_member_accuracy"),
        shadows=document.section("parameters").maybe_count("shadows") or 0,
        attacks=attacks,
        blind=None if result.absent("blind") else share(result.section("blind"), "auc", "auc_interval"),
        flags=flags(result),
        evidence=document.digest,
    )


def _guess(one: Fields) -> Guess:
    return Guess(
        name=one.text("name"),
        recipe=one.recipe("recipe")[1],
        auc=share(one, "auc", "auc_interval"),
        found={rate: share(one, f"tpr_at_{rate:g}", f"tpr_at_{rate:g}_interval") for rate in RATES},
        balanced_accuracy=one.fraction("balanced_accuracy"),
        roc=tuple(sorted(one.pairs("roc"))),
    )


def inversion(document: Fields) -> Inversion:
    result = document.section("result")
    attacks = tuple(_inverted(one) for one in result.sections("attacks"))
    if not attacks:
        result.fail("attacks", "at least one attack", [])
    noise = result.section("random")
    return Inversion(
        name=subject_name(document),
        digest=subject_digest(document),
        classes=result.count("classes"),
        judge_accuracy=result.fraction("judge_accuracy"),
        attacks=attacks,
        random=share(noise, "recognised", "recognised_interval"),
        random_correlation=_correlation(noise, "mean_correlation"),
        flags=flags(result),
        gallery=tuple(_portrait(one) for one in _shown(result)),
        evidence=document.digest,
    )


def _correlation(fields: Fields, key: str) -> float:
    return fields.number(key, -1.001, 1.001)  # rounding may lead a little beyond 1


def _inverted(one: Fields) -> Inverted:
    return Inverted(
        name=one.text("name"),
        recipe=one.recipe("recipe")[1],
        recognised=share(one, "recognised", "recognised_interval"),
        matched=share(one, "matched", "matched_interval"),
        mean_correlation=_correlation(one, "mean_correlation"),
        other_correlation=_correlation(one, "other_correlation"),
        start_correlation=_correlation(one, "start_correlation"),
        nearest_member=_correlation(one, "nearest_member"),
        nearest_fresh=_correlation(one, "nearest_fresh"),
        gradients=one.number("gradients", 0),
        seconds=one.number("seconds", 0),
    )


def _portrait(one: Fields) -> Portrait:
    picture, mean = alike(one, "picture", "mean")
    return Portrait(
        attack=one.text("attack"),
        label=one.label("class"),
        prediction=one.label("prediction_class"),
        picture=picture,
        mean=mean,
    )
