"""What documents of several kinds have in common: names, threats, shares, flags, the verdicts' queries."""

from __future__ import annotations

import numpy as np

from hauberk.reports.fields import Fields
from hauberk.reports.images import decode
from hauberk.reports.views import Flag, Pixels, Share, Spent, Threat

HUGE = 1e100  # a diverged loss may be large, but sums and scales of it must stay finite
_STATUSES = ("misclassified", "broken", "robust")
_STEPS = 61  # points of a curve against queries


def subject_name(document: Fields) -> str:
    return document.section("subject").text("name")


def subject_digest(document: Fields) -> str:
    return document.section("subject").maybe_text("digest") or ""


def threat(document: Fields) -> Threat:
    found = document.section("parameters").section("threat")
    return Threat(
        norm=found.text("norm"),
        eps=found.number("eps", 0, HUGE),
        targeted=found.flag("targeted"),
        knowledge=found.text("knowledge"),
        queries=found.maybe_count("queries"),
    )


def share(fields: Fields, key: str, interval: str) -> Share:
    return Share(fields.fraction(key), fields.interval(interval))


def maybe_share(fields: Fields, key: str, interval: str) -> Share | None:
    return None if fields.absent(key) else share(fields, key, interval)


def flags(result: Fields) -> tuple[Flag, ...]:
    return tuple(_flag(one) for one in result.sections("flags"))


def _flag(one: Fields) -> Flag:
    tried = () if one.absent("tried") else one.texts("tried")  # older documents lack it
    return Flag(one.text("code"), one.text("message"), tried)


def alike(fields: Fields, first: str, second: str) -> tuple[Pixels, Pixels]:
    """Two images that stand beside each other: of one shape."""
    a, b = decode(fields.section(first)), decode(fields.section(second))
    if a.shape != b.shape:
        fields.fail(second, f"of the shape of '{first}', {a.shape}", b.shape)
    return a, b


def spent(result: Fields) -> Spent:
    """Accuracy left against queries, counted from the verdicts; empty where they cannot tell.

    Where several attacks each saw every sample, a verdict's queries go on after the sample fell.
    """
    if result.absent("verdicts") or not result.listed("verdicts"):
        return ()
    verdicts = result.sections("verdicts")
    samples = result.count("samples")
    if len(verdicts) != samples:
        result.fail("verdicts", f"as many as samples, {samples}", len(verdicts))
    fell = sorted(one.count("queries") for one in verdicts if _status(one) == "broken")
    asked = [one.count("queries") for one in verdicts]
    right = sum(_status(one) != "misclassified" for one in verdicts)
    most = max(asked)
    if not fell or most < 1 or _several_alone(result):
        return ()
    at = sorted({round(one) for one in np.geomspace(1, most, _STEPS).tolist()})
    broken = np.searchsorted(fell, at, side="right")
    return tuple((one, (right - int(lost)) / samples) for one, lost in zip(at, broken, strict=True))


def _status(verdict: Fields) -> str:
    status = verdict.text("status")
    if status not in _STATUSES:
        verdict.fail("status", f"one of {', '.join(_STATUSES)}", status)
    return status


def _several_alone(result: Fields) -> bool:
    if result.absent("attacks"):
        return False  # a single attack
    rows = result.sections("attacks")
    return (
        sum(not row.absent("alone_accuracy") and bool(row.maybe_number("queries_mean", 0)) for row in rows) > 1
    )
