"""The last release of a vault: the verdict that was given while production named other versions than now.

Verdicts lie among the vault's evidence, where somebody keeps them. One counts as the last release's when it
names a version that production named before, by the digest that the vault's registry has of it, and is older
than the move to the present one. Nothing is decided by it: the page lays it beside the new verdict.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hauberk.assurance.finding import Subject
from hauberk.assurance.target import Target
from hauberk.assurance.verdict import KIND, Verdict
from hauberk.core.clock import timestamp
from hauberk.core.errors import HauberkError
from hauberk.vault.listing import happened, visible
from hauberk.vault.names import PRODUCTION
from hauberk.vault.registry import DEPLOYMENT, Version

if TYPE_CHECKING:
    from hauberk.vault import Vault


def last_release(vault: Vault, target: Target) -> Verdict | None:
    """The newest verdict of this vault about what production named before; None where there is none.

    Args:
        target: the vault as it was gathered; its documents are looked through.
    """
    released = _released(vault)
    for document in target.of(KIND):
        try:
            found = Verdict.from_evidence(document)
        except HauberkError:
            continue
        same = (found.target.kind, found.target.name) == (target.subject.kind, target.subject.name)
        if same and any(one in found.models and found.created <= until for one, until in released):
            return found
    return None


def _released(vault: Vault) -> list[tuple[Subject, str]]:
    """Each model's version that production named before the present one, and until when."""
    models: dict[str, dict[int, Version]] = {}
    for one in visible(vault):
        models.setdefault(one.model, {})[one.number] = one
    found = []
    for name, versions in models.items():
        moves = [one for one in happened(vault, name) if (one.what, one.detail) == (DEPLOYMENT, PRODUCTION)]
        before = [place for place, one in enumerate(moves) if one.number != moves[-1].number]
        if not before or moves[before[-1]].number not in versions:
            continue
        version, moved = versions[moves[before[-1]].number], moves[before[-1] + 1]
        until = timestamp(lambda at=moved.at_ms: datetime.fromtimestamp(at / 1000, UTC))  # type: ignore[misc]
        found.append((Subject("model", str(version), version.subject), until))
    return found
