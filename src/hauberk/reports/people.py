"""Reader for de-identification: what was found in texts and tables, what became of it, what may be left."""

from __future__ import annotations

from hauberk.reports.fields import Fields
from hauberk.reports.parts import maybe_share, subject_digest, subject_name
from hauberk.reports.views import Deidentification, MaskedSample, TreatedColumn, TreatedFile, TreatedType

_MOST_FILES = 100  # of a table in a page


def deidentification(document: Fields) -> Deidentification:
    result, leak = document.section("result"), document.section("result").section("leak")
    files = result.sections("files")
    return Deidentification(
        name=subject_name(document),
        digest=subject_digest(document),
        policy=document.section("parameters").text("policy_digest"),
        key=document.section("parameters").maybe_text("key"),
        records=result.count("records"),
        findings=result.count("findings"),
        types=tuple(_type(one) for one in result.sections("counts")),
        columns=tuple(
            TreatedColumn(one.text("column"), one.text("rule"), one.count("cells"))
            for one in result.sections("columns")
        ),
        files=tuple(_file(one) for one in files[:_MOST_FILES]),
        more_files=max(0, len(files) - _MOST_FILES),
        samples=tuple(
            MaskedSample(one.text("type"), one.text("masked"), one.text("file"), one.count("line"))
            for one in result.sections("samples")
        ),
        looked=leak.count("looked"),
        left=maybe_share(leak, "left_share", "left_interval"),
        left_types=tuple(
            (name, leak.section("left_types").count(name)) for name in leak.section("left_types").names()
        ),
        found=maybe_share(leak, "found_share", "found_interval"),
        tokens=result.maybe_count("tokens"),
        evidence=document.digest,
    )


def _type(one: Fields) -> TreatedType:
    return TreatedType(
        name=one.text("type"),
        action=one.text("action"),
        count=one.count("count"),
        mean_score=one.number("mean_score", 0, 1),
        least_score=one.number("least_score", 0, 1),
    )


def _file(one: Fields) -> TreatedFile:
    return TreatedFile(
        name=one.text("name"),
        format=one.text("format"),
        encoding=one.maybe_text("encoding"),
        records=one.count("records"),
        findings=one.count("findings"),
        before=one.text("digest_before"),
        after=one.text("digest"),
    )
