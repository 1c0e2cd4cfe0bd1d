"""A verdict as a page: the report's evidence is the verdict itself and every document that it rests on."""

from __future__ import annotations

from pathlib import Path

from hauberk.assurance.text import Lang
from hauberk.assurance.verdict import Verdict
from hauberk.core.errors import DependencyMissing


def to_html(
    verdict: Verdict,
    lang: Lang = "en",
    *,
    place: str | Path,
    evidence: Path | None = None,
    earlier: Verdict | None = None,
) -> str:
    """One self-contained page.

    Args:
        place: the target, by which documents are found again; ``evidence`` its folder where it is another one.
        earlier: a verdict to compare with: the last release's, or another model's.
    """
    raise DependencyMissing("the page of an audit is not part of this version")
