"""Reader for anonymised tables: risk, diversity and loss, before and after."""

from __future__ import annotations

from collections.abc import Iterator

from hauberk.reports.fields import Fields
from hauberk.reports.parts import HUGE, subject_digest, subject_name
from hauberk.reports.views import Anonymization, Changed

_RISKS = (("prosecutor", "highest"), ("prosecutor", "average"), ("prosecutor", "unique_share"),
          ("journalist", "highest"), ("marketer", "average"))  # fmt: skip


def anonymization(document: Fields) -> Anonymization:
    result, parameters = document.section("result"), document.section("parameters")
    before, after, loss = result.section("before"), result.section("after"), result.section("loss")
    by_column = loss.section("by_column")
    return Anonymization(
        name=subject_name(document),
        digest=subject_digest(document),
        quasi=parameters.texts("quasi"),
        sensitive=parameters.texts("sensitive"),
        k=parameters.count("k"),
        rows=result.count("rows"),
        published=result.count("published"),
        suppressed=result.number("suppressed_share", 0, 1),
        classes=after.count("classes"),
        risks=tuple(_risk(before, after, who, what) for who, what in _RISKS),
        changes=tuple(_changes(before, after)),
        gcp=loss.number("gcp", 0, 1),
        lost=tuple((name, by_column.number(name, 0, 1)) for name in by_column.names()),
        average_class=loss.number("average_class", 0, HUGE),
        model=None if result.absent("model") else _model(result.section("model")),
        evidence=document.digest,
    )


def _risk(before: Fields, after: Fields, who: str, what: str) -> Changed:
    first, then = (side.section("risk").section(who).number(what, 0, 1) for side in (before, after))
    return Changed(f"{who}_{what}", "", first, then)


def _changes(before: Fields, after: Fields) -> Iterator[Changed]:
    yield Changed("k", "", before.count("k"), after.count("k"))
    if not after.absent("l"):
        for name in after.section("l").names():
            first, then = (side.section("l").section(name) for side in (before, after))
            for kind in ("distinct", "entropy"):
                yield Changed(f"l_{kind}", name, first.number(kind, 0, HUGE), then.number(kind, 0, HUGE))
            yield Changed("t", name, *(side.section("t").number(name, 0, HUGE) for side in (before, after)))
    if not after.absent("presence"):
        yield Changed("presence", "", *(side.interval("presence")[1] for side in (before, after)))


def _model(one: Fields) -> tuple[str, float, float, float]:
    before, after, majority = (one.fraction(key) for key in ("accuracy_before", "accuracy_after", "majority"))
    return one.text("target"), before, after, majority
