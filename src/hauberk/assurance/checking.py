"""A document that somebody shows, checked again: is it whole, does it add up, is what it rests on here?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.assurance.gathering.counting import read_document
from hauberk.assurance.verdict import KIND, Verdict
from hauberk.core.evidence import Evidence


@dataclass(frozen=True)
class Checked:
    """A document that holds.

    Args:
        verdict: what it says, where it is a verdict.
        found: files of the documents that it rests on, by digest.
        missing: digests of those that are not here; without them its figures stand alone.
    """

    evidence: Evidence
    verdict: Verdict | None
    found: Mapping[str, str]
    missing: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "kind": self.evidence.kind,
            "digest": self.evidence.digest,
            "created": self.evidence.created,
            "found": dict(self.found),
            "missing": list(self.missing),
        }
        return told if self.verdict is None else {**told, "passed": self.verdict.passed}


def check_document(path: str | Path, folders: Iterable[Path] = ()) -> Checked:
    """Check evidence of any kind.

    Args:
        folders: where documents that it rests on may lie, with all folders below; ``path``'s own besides.

    Raises:
        DataError: no evidence.
        IntegrityError: it was changed, or is a verdict that says another answer than its findings give.
    """
    path = Path(path)
    evidence = Evidence.load(path)
    verdict = Verdict.from_evidence(evidence, where=str(path)) if evidence.kind == KIND else None
    wanted = set(evidence.parents)
    found: dict[str, str] = {}
    for folder in (path.resolve().parent, *folders):
        for one in sorted(folder.rglob("*.json")) if wanted - found.keys() else ():
            document = read_document(one, one.name) if one.is_file() else None
            if document is not None and document.evidence is not None and document.evidence.digest in wanted:
                found.setdefault(document.evidence.digest, str(one))
    return Checked(evidence, verdict, found, tuple(one for one in evidence.parents if one not in found))
