"""The page of a real audit: its documents, the vault's events, and nothing that the audit refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from audit_packages import Made, evaluation, make

from hauberk.assurance.auditing import audit
from hauberk.assurance.formats.html import to_html
from hauberk.assurance.gathering.gather import Sources
from hauberk.assurance.gathering.telling import tell
from hauberk.assurance.policy import load_policy
from hauberk.vault import Vault, create_vault, open_vault, promote, push, revoke

TODAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUIET = Sources(environment=False)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make(tmp_path / "models" / "net")


def page_of(made: Made, lang: str = "en", **options: object) -> str:
    verdict = audit(made.path, load_policy(()), QUIET, clock=lambda: TODAY)
    return to_html(verdict, lang, told=tell(made.path, QUIET, lang), **options)  # type: ignore[arg-type]


def section(page: str, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', page, re.S)
    assert found is not None, name
    return found[0]


def test_documents_are_linked_and_their_figures_shown(made: Made) -> None:
    measured = evaluation(made)
    page = page_of(made)
    assert f'id="e-{measured.digest[7:19]}"' in page
    assert measured.digest in section(page, "chain")
    assert f"{100 * measured.result['robust_accuracy']:.1f}" in section(page, "five")


def test_what_the_audit_refused_is_named_and_its_figures_are_not_shown(made: Made) -> None:
    better = evaluation(made, created="2025-01-01T00:00:00Z", name="older")  # before the model was born
    edited = json.loads(evaluation(made).save(made.evidence, "edited").read_text())
    edited["result"]["robust_accuracy"] = 0.987
    (made.evidence / "edited.json").write_text(json.dumps(edited))
    page = page_of(made)
    refused = section(page, "refused")
    assert "older.json" in refused
    assert "edited.json" in refused
    assert f'id="e-{better.digest[7:19]}"' not in page
    assert "98.7" not in page


def test_a_document_that_cannot_be_drawn_takes_nothing_from_the_answer(made: Made) -> None:
    made.add("evaluation", {"samples": "many"})
    assert 'class="answer no"' in page_of(made)


def test_two_verdicts_side_by_side(made: Made, tmp_path: Path) -> None:
    before = audit(made.path, load_policy(()), QUIET, clock=lambda: TODAY)
    evaluation(made)
    page = section(page_of(made, earlier=before), "compare")
    assert "Since the last release" in page
    assert "never" in page or "not known" in page
    other = make(tmp_path / "others" / "second", seed=1)
    against = audit(other.path, load_policy(()), QUIET, clock=lambda: TODAY)
    assert "Side by side" in section(page_of(made, earlier=against), "compare")


@pytest.fixture
def vault(made: Made, tmp_path: Path) -> Iterator[Vault]:
    evaluation(made)
    create_vault(tmp_path / "vault", clock=lambda: TODAY).close()
    with open_vault(tmp_path / "vault", clock=lambda: TODAY) as found:
        push(found, made.path, "net")
        yield found


@pytest.mark.parametrize(
    ("lang", "published", "deployed"),
    [("en", "published as net 1", "net 1 became"), ("zh", "发布为 net 1", "net 1 成为")],
)
def test_a_vault_tells_what_happened(lang: str, published: str, deployed: str, vault: Vault) -> None:
    promote(vault, "net@1", "production")
    sources = Sources(environment=False, vault=vault)
    verdict = audit(vault.folder, load_policy(()), sources, clock=lambda: TODAY)
    page = to_html(verdict, lang, told=tell(vault.folder, sources, lang))  # type: ignore[arg-type]
    timeline = section(page, "timeline")
    assert published in timeline
    assert deployed in timeline
    assert timeline.index(published) < timeline.index(deployed)
    assert "net@1" in page


def test_a_revoked_version_that_is_still_named_is_told(vault: Vault) -> None:
    revoke(vault, "net@1", "leaked")
    told = tell(vault.folder, Sources(environment=False, vault=vault), "en")
    assert told.documents == ()  # nothing of it is in use
