"""A verdict as a page: the report's evidence is the verdict itself and every document that it rests on."""

from __future__ import annotations

from hauberk.assurance.gathering.telling import Told
from hauberk.assurance.text import Lang
from hauberk.assurance.verdict import Verdict
from hauberk.reports import render_audit


def to_html(
    verdict: Verdict,
    lang: Lang = "en",
    *,
    told: Told | None = None,
    earlier: Verdict | None = None,
    command: str | None = None,
) -> str:
    """One self-contained page.

    Args:
        told: the documents that the verdict rests on, and what happened besides.
        earlier: a verdict to compare with: the last release's, or another model's.
        command: the line that repeats the audit.

    A document that the audit refused is not shown, whatever it says.
    """
    given = told or Told()
    refused = {one["digest"] for one in verdict.refused}
    return render_audit(
        verdict.to_evidence(),
        [one for one in given.documents if one.digest not in refused],
        lang=lang,
        against=None if earlier is None else earlier.to_evidence(),
        events=given.events,
        command=command,
    )
