"""Reader for what defences against poison found, and what the model does before and after them."""

from __future__ import annotations

from hauberk.reports.fields import Fields
from hauberk.reports.harm import MOST_SHOWN, learnt
from hauberk.reports.images import decode
from hauberk.reports.parts import HUGE, maybe_share, share, subject_digest, subject_name
from hauberk.reports.views import Cleansing, Pixels, Stamp, StampedClass, SuspiciousRow


def cleansing(document: Fields) -> Cleansing:
    result, parameters = document.section("result"), document.section("parameters")
    method, recipe = parameters.recipe("defense")
    stamps = [_stamp(one, true=False) for one in result.sections("stamp_gallery")[:MOST_SHOWN]]
    if not result.absent("true_trigger"):
        stamps.insert(0, _stamp(result.section("true_trigger"), true=True))
    return Cleansing(
        name=subject_name(document),
        digest=subject_digest(document),
        method=method,
        recipe=recipe,
        poisoner=parameters.maybe_text("poisoner"),
        samples=result.count("samples"),
        flagged=result.maybe_count("flagged"),
        touched=result.maybe_count("touched"),
        precision=maybe_share(result, "precision", "precision_interval"),
        recall=maybe_share(result, "recall", "recall_interval"),
        false_alarms=maybe_share(result, "false_alarms", "false_alarms_interval"),
        test_samples=result.count("test_samples"),
        before=learnt(result.section("before")),
        after=None if result.absent("after") else learnt(result.section("after")),
        classes=tuple(_class(one) for one in result.sections("classes")),
        row_gallery=tuple(_row(one) for one in result.sections("row_gallery")[:MOST_SHOWN]),
        stamp_gallery=tuple(stamps),
        evidence=document.digest,
    )


def _class(one: Fields) -> StampedClass:
    return StampedClass(
        label=one.label("class"),
        mask_norm=one.number("mask_norm", 0, HUGE),
        anomaly=one.number("anomaly", 0, HUGE),
        suspected=one.flag("suspected"),
        success=share(one, "success", "success_interval"),
        success_after=maybe_share(one, "success_after", "success_after_interval"),
    )


def _stamp(one: Fields, *, true: bool) -> Stamp:
    mask, paint, stamped = (_of_one_shape(one, key, "mask") for key in ("mask", "paint", "stamped"))
    return Stamp(
        label=one.label("class"),
        true=true,
        suspected=true or one.flag("suspected"),
        mask=mask,
        paint=paint,
        stamped=stamped,
        stamped_label=one.label("stamped_label"),
        read_before=one.label("read_before"),
        read_after=None if one.absent("read_after") else one.label("read_after"),
    )


def _of_one_shape(one: Fields, key: str, first: str) -> Pixels:
    pixels, expected = decode(one.section(key)), decode(one.section(first))
    if pixels.shape != expected.shape:
        one.fail(key, f"of the shape of '{first}', {expected.shape}", pixels.shape)
    return pixels


def _row(one: Fields) -> SuspiciousRow:
    return SuspiciousRow(
        index=one.count("index"),
        label=one.label("label"),
        score=one.number("score", -HUGE, HUGE),
        flagged=one.flag("flagged"),
        touched=None if one.absent("touched") else one.flag("touched"),
        image=decode(one.section("image")),
    )
