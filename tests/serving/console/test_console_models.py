"""What the pages of models say, against what was done to a vault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update
from stocked import As, evaluated, stock

from hauberk.core.errors import DataError
from hauberk.ledger.policy import Policy
from hauberk.ledger.proof import Proof
from hauberk.ledger.proving import prove_inclusion
from hauberk.serving.console.evaluations import evaluations, policy_for, report
from hauberk.serving.console.models import charts, model, models
from hauberk.serving.console.shelf import Shelf
from hauberk.serving.console.versions import version
from hauberk.serving.console.wishes import wishes
from hauberk.vault import Vault, create_vault, promote, push, schema
from hauberk.vault.settings import Policy as VaultPolicy

SERVED = {("digits", "1"): 2}


def everything(_action: str, _model: str, _versions: tuple[str, ...]) -> bool:
    return True


def only_digits(action: str, model: str, _versions: tuple[str, ...]) -> bool:
    return action == "model.view" and model == "digits"


@pytest.fixture
def vault(nets: tuple[Path, Path], tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "vault") as made:
        stock(made, nets, tmp_path)
        yield made


def test_the_list_has_each_model_once_with_its_version_in_production(vault: Vault) -> None:
    digits, flowers = models(vault, Shelf(), everything, SERVED, "ann")
    assert (digits.name, digits.versions, digits.production, digits.served) == ("digits", 2, 1, 2)
    assert digits.known.newest is not None
    assert digits.known.newest.robust == 0.31, "of the version in production, not of the newest"
    assert digits.known.newest.threat == "L∞ 0.2"
    assert (flowers.production, flowers.revoked, flowers.known.newest) == (None, 1, None)


def test_what_a_viewer_may_not_see_is_not_there(vault: Vault) -> None:
    assert [one.name for one in models(vault, Shelf(), only_digits, {}, "ann")] == ["digits"]
    assert {one.version.model for one in evaluations(vault, Shelf(), only_digits)} == {"digits"}
    for name, number in (("flowers", 1), ("digits", 9), ("nothing", 1)):
        with pytest.raises(DataError):
            version(vault, Shelf(), name, number, only_digits, {}, "ann")
        with pytest.raises(DataError):
            report(vault, Shelf(), only_digits, name, number, "en")
    seen = version(vault, Shelf(), "digits", 2, only_digits, {}, "ann")
    assert seen.promotes == ()
    assert not seen.revokes


def test_a_request_waits_for_a_second_person_and_is_gone_once_he_agreed(vault: Vault) -> None:
    vault.settings = replace(vault.settings, policy=VaultPolicy(approvals=1))
    vault.gate = As("ann")
    promote(vault, "digits@2", "production")
    assert [(one.by, one.lacking, one.mine) for one in wishes(vault, "ann")] == [(("ann",), 1, True)]
    assert [one.mine for one in wishes(vault, "tom")] == [False]
    assert models(vault, Shelf(), everything, {}, "tom")[0].waiting == 1
    assert [one.number for one in model(vault, Shelf(), "digits", everything, {}, "tom").wishes] == [2]
    vault.gate = As("tom")
    assert promote(vault, "digits@2", "production").done
    assert wishes(vault, "tom") == ()


def test_the_chart_follows_the_evaluations(vault: Vault) -> None:
    view = model(vault, Shelf(), "digits", everything, SERVED, "ann")
    (chart,) = charts(view.measured, lambda key: key)
    clean, robust = chart.series
    assert list(clean.points) == [(1, 0.95), (2, 0.95)]
    assert list(robust.points) == [(1, 0.31), (2, 0.74)]
    assert [one.what for one in view.events] == ["deployment", "publication", "publication"], "newest first"
    assert 'style="' not in chart.svg(), "the console's policy lets no inline style through"


def test_a_version_shows_what_holds_and_the_proof_convinces_a_stranger(vault: Vault) -> None:
    seen = version(vault, Shelf(), "digits", 2, everything, SERVED, "ann")
    assert (seen.proof.state, seen.signature.state) == ("ok", "none")
    assert seen.promotes == ("staging", "production")
    assert seen.revokes
    entry = seen.version.entry
    proof = Proof.parse(bytes(prove_inclusion(vault.ledger, entry)))
    assert (
        proof.verify(vault.ledger.entry(entry), Policy.of_log(vault.ledger.verifier)).size == seen.ledger_size
    )


def test_a_version_that_was_changed_in_the_database_says_so(vault: Vault) -> None:
    table = schema.files
    with vault.database.write() as connection:
        connection.execute(
            update(table).where(table.c.model == "digits", table.c.number == 2).values(sha256="0" * 64)
        )
    seen = version(vault, Shelf(), "digits", 2, everything, {}, "ann")
    assert seen.proof.state == "bad"
    assert "database was changed" in seen.proof.detail
    assert seen.entry.known.unread, "its evidence cannot be read either, and the page says why"


def test_a_revoked_version_can_be_seen_and_not_promoted(vault: Vault) -> None:
    seen = version(vault, Shelf(), "flowers", 1, everything, {}, "ann")
    assert seen.proof.state == "revoked"
    assert seen.promotes == ()
    assert not seen.revokes


def test_evidence_is_read_from_the_vault_once(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    first = models(vault, shelf, everything, {}, "ann")
    monkeypatch.setattr(vault.artifacts, "read", None)
    assert models(vault, shelf, everything, {}, "ann") == first


def test_an_evaluation_that_does_not_fit_its_schema_leaves_no_figures(
    vault: Vault, nets: tuple[Path, Path], tmp_path: Path
) -> None:
    evaluated(nets[0], 0.9, 0.5, 7, samples="many").save(tmp_path / "odd")
    push(vault, nets[0], "odd", evidence=tmp_path / "odd")
    row = next(one for one in models(vault, Shelf(), everything, {}, "ann") if one.name == "odd")
    assert row.known.kinds == ("evaluation",)
    assert row.known.newest is None


def test_a_report_is_shown_under_a_policy_that_lets_only_its_own_style_through(vault: Vault) -> None:
    for lang, word in (("en", "Verdict"), ("zh", "结论")):
        found = report(vault, Shelf(), everything, "digits", 2, lang)  # type: ignore[arg-type]
        assert "digits@2" in found.page
        assert word in found.page
        assert "'unsafe-inline'" not in found.policy
        assert "default-src 'none'" in found.policy
        assert "sandbox" in found.policy
    assert "'unsafe-hashes'" not in policy_for("<style>p{}</style>")
    with_attribute = policy_for('<style>p{}</style><td style="--h:1">')
    assert with_attribute.count("'sha256-") == 2
    assert "'unsafe-hashes'" in with_attribute
