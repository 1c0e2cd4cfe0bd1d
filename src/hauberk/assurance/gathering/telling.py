"""What the page of an audit tells beside the verdict: the documents themselves, and what vault and ledger add.

Nothing here decides anything. What cannot be read is left out of the page; the rules have said so already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hauberk.assurance.gathering.counting import read_folder
from hauberk.assurance.gathering.gather import Sources, kind_of
from hauberk.assurance.text import Lang, Text
from hauberk.core.clock import timestamp
from hauberk.core.errors import HauberkError
from hauberk.core.evidence import Evidence
from hauberk.reports.audit import Event

if TYPE_CHECKING:
    from hauberk.vault import Vault

_WORDS = {
    "publication": Text("published as {where} ({detail})", "发布为 {where}（{detail}）"),
    "deployment": Text("{where} became {detail}", "{where} 成为 {detail}"),
    "revocation": Text("{where} was revoked: {detail}", "{where} 被撤销：{detail}"),
}
_ENTRY = Text("entry {entry}: {kind}", "第 {entry} 条：{kind}")


@dataclass(frozen=True)
class Told:
    """Documents, oldest first, and events in no order."""

    documents: tuple[Evidence, ...] = ()
    events: tuple[Event, ...] = ()


def tell(place: str | Path, sources: Sources, lang: Lang, logs: Sequence[str] = ()) -> Told:
    """What there is to show of a target.

    Args:
        logs: verifiers of the ledgers that are believed.
    """
    documents: dict[str, Evidence] = {}
    events: list[Event] = []
    kind = kind_of(place)
    if sources.vault is not None:
        for one in _of_vault(sources.vault, lang):
            if isinstance(one, Event):
                events.append(one)
            else:
                documents[one.digest] = one
    if kind in ("package", "repository"):
        documents |= {one.digest: one for one in _of_folders(Path(place), sources.evidence)}
    if kind == "package" and sources.ledger is not None:
        events += _of_ledger(Path(place), sources, logs, lang)
    return Told(tuple(sorted(documents.values(), key=lambda one: one.created)), tuple(events))


def _of_folders(place: Path, evidence: Path | None) -> Iterator[Evidence]:
    """Whole documents of a package, or of a repository with all its packages."""
    folders = [place / "evidence", place.resolve().parent / "evidence" if evidence is None else evidence]
    folders += [one for one in sorted(place.rglob("evidence")) if one.is_dir()]
    for folder in dict.fromkeys(folders):
        yield from (one.evidence for one in read_folder(folder) if one.evidence is not None)


def _of_vault(vault: Vault, lang: Lang) -> Iterator[Evidence | Event]:
    from hauberk.assurance.gathering.vaults import in_use
    from hauberk.vault.listing import described, happened
    from hauberk.vault.pulling import evidence_of

    for version in in_use(vault):
        try:
            _, files = described(vault, f"{version.model}@{version.number}")
            yield from evidence_of(vault, files)
        except HauberkError:
            continue
        for one in happened(vault, version.model, version.number):
            where = f"{version.model} {version.number}"
            said = _WORDS[one.what](lang).format(where=where, detail=one.detail)
            at = datetime.fromtimestamp(one.at_ms / 1000, UTC)
            yield Event(timestamp(lambda at=at: at), said, "vault", one.by, version.subject)  # type: ignore[misc]


def _of_ledger(place: Path, sources: Sources, logs: Sequence[str], lang: Lang) -> Iterator[Event]:
    """What the ledger says of the model and no document here does."""
    from contextlib import closing

    from hauberk.crypto.notes import parse_verifier
    from hauberk.ledger.history import history
    from hauberk.ledger.opening import open_ledger
    from hauberk.ledger.policy import Policy
    from hauberk.ledger.policy_text import Party

    try:
        believed = Policy(logs=tuple(Party(parse_verifier(one)) for one in logs))
        with closing(open_ledger(sources.ledger or "")) as log:
            found = history(place, log, believed, evidence=sources.evidence)
    except HauberkError:
        return
    for step in found.steps:
        if step.proof == "holds" and not step.shown and step.created:
            said = _ENTRY(lang).format(entry=step.entry, kind=step.kind)
            yield Event(step.created, said, "ledger", step.name or "", step.document or "")
