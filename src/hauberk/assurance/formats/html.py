"""A verdict as a page: the report's evidence is the verdict itself and every document that it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hauberk.assurance.gathering.counting import read_folder
from hauberk.assurance.text import Lang
from hauberk.assurance.verdict import Verdict
from hauberk.core.evidence import Evidence
from hauberk.reports import render_audit


def to_html(
    verdict: Verdict,
    lang: Lang = "en",
    *,
    place: str | Path,
    evidence: Path | None = None,
    earlier: Verdict | None = None,
    command: str | None = None,
) -> str:
    """One self-contained page.

    Args:
        place: the target, by which documents are found again; ``evidence`` its folder where it is another one.
        earlier: a verdict to compare with: the last release's, or another model's.
        command: the line that repeats the audit.

    A document that was edited is not among the page's, whatever it says.
    """
    refused = {one["digest"] for one in verdict.refused}
    found = {one.digest: one for one in _documents(Path(place), evidence) if one.digest not in refused}
    return render_audit(
        verdict.to_evidence(),
        sorted(found.values(), key=lambda one: one.created),
        lang=lang,
        against=None if earlier is None else earlier.to_evidence(),
        command=command,
    )


def _documents(place: Path, evidence: Path | None) -> Iterator[Evidence]:
    """Whole documents of a package, or of a repository with all its packages."""
    folders = [place / "evidence", place.resolve().parent / "evidence" if evidence is None else evidence]
    if place.is_dir():
        folders += [one for one in sorted(place.rglob("evidence")) if one.is_dir()]
    for folder in dict.fromkeys(folders):
        yield from (one.evidence for one in read_folder(folder) if one.evidence is not None)
