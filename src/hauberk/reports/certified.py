"""Reader for certificates: for how many samples it was shown that no attack can succeed, and by what."""

from __future__ import annotations

from collections import Counter

from hauberk.reports.fields import Fields
from hauberk.reports.parts import HUGE, flags, share, subject_digest, subject_name, threat
from hauberk.reports.views import Certified


def certificates(document: Fields) -> Certified:
    """A document of kind ``certificates``; its figures must agree with its own certificates."""
    result = document.section("result")
    samples, rows = result.count("samples"), result.sections("certificates")
    if len(rows) != samples:
        result.fail("certificates", f"as many as samples, {samples}", len(rows))
    held = [one for one in rows if one.flag("certified")]
    found = share(result, "certified_accuracy", "certified_interval")
    if not samples or abs(found.value * samples - len(held)) > 0.5:
        result.fail("certified_accuracy", f"{len(held)} of {samples}, as certified", found.value)
    points = [] if result.absent("curve") else result.sections("curve")
    return Certified(
        name=subject_name(document),
        digest=subject_digest(document),
        threat=threat(document),
        method=document.section("parameters").text("method"),
        confidence=result.maybe_number("confidence", 0, 1),
        samples=samples,
        clean=share(result, "clean_accuracy", "clean_interval"),
        certified=found,
        by=tuple(Counter(one.text("by") for one in held).items()),
        curve=tuple((one.number("eps", 0, HUGE), one.fraction("certified_accuracy")) for one in points),
        flags=flags(result),
        evidence=document.digest,
    )
