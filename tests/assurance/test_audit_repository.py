"""A folder with packages, data and budgets: everything in it is found, and what moves in it is seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from audit_packages import NOW, ask, evaluation, facts, make, states

from hauberk.assurance.auditing import audit, differing
from hauberk.assurance.gathering.gather import Sources, fingerprint
from hauberk.assurance.policy import load_policy
from hauberk.privacy.queries.accounting import UNITS, Accounting
from hauberk.privacy.queries.description import Description
from hauberk.privacy.queries.opening import budgets_at
from hauberk.privacy.queries.store import Registration


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models with evidence of their own."""
    for name, seed in (("one", 1), ("two", 2)):
        evaluation(make(tmp_path / "repo" / name / "net", seed=seed))
    return tmp_path / "repo"


def test_every_package_is_judged_by_its_own_evidence(folder: Path) -> None:
    target = facts(folder)
    assert target.kind == "repository"
    assert [one.subject.name for one in target.models] == ["one/net", "two/net"]
    assert states(target, "robustness.worst-case") == ["passed", "passed"]
    (folder / "two" / "evidence").rename(folder / "two" / "papers")
    assert states(facts(folder), "robustness.worst-case") == ["passed", "unknown"]


def test_an_edited_document_is_told_once(folder: Path) -> None:
    (file,) = (folder / "one" / "evidence").iterdir()
    file.write_text(file.read_text().replace("0.95", "0.99"))
    target = facts(folder)
    assert [one.state for one in ask(target, "integrity.evidence")] == ["failed", "passed"]
    verdict = audit(folder, load_policy(profile="low"), Sources(environment=False), clock=lambda: NOW)
    assert [one["reason"] for one in verdict.refused] == ["edited"]
    assert not verdict.passed


def test_data_in_the_clear(folder: Path) -> None:
    assert states(facts(folder), "data.encrypted") == ["not-applicable"]
    (folder / "data").mkdir()
    (folder / "data" / "people.csv.sealed").write_bytes(b"age-encryption.org/v1\nrest")
    (folder / "data" / "people.parquet").write_bytes(b"PARE rest PARE")
    (folder / "data" / "cities.csv").write_text("name\nulm\n")
    (finding,) = ask(facts(folder), "data.encrypted")
    assert (finding.state, finding.figures["plain"]) == ("failed", ["data/cities.csv"])
    assert states(facts(folder), "data.encrypted", share=0.5) == ["passed"]
    (folder / "data" / "cities.csv").unlink()
    assert states(facts(folder), "data.encrypted") == ["passed"]


def test_environments_and_links_are_left_out(folder: Path, tmp_path: Path) -> None:
    (folder / ".venv" / "lib").mkdir(parents=True)
    (folder / ".venv" / "lib" / "table.csv").write_text("a\n")
    (tmp_path / "outside.csv").write_text("a\n")
    os.symlink(tmp_path / "outside.csv", folder / "link.csv")
    assert facts(folder).data == ()


def budget(folder: Path, epsilon: float, spent: float) -> None:
    path = folder / "people.csv.budget"
    description = Description.from_json(
        {"unit": "person", "most_rows": 1, "columns": [{"name": "age", "kind": "number", "low": 0, "high": 99}]}
    )
    one = Registration(
        name="people.csv", description=description, accounting=Accounting("pure", epsilon),
        budget_units=int(epsilon * UNITS), delta_units=0, salt=b"0" * 16, data_seal="0" * 64, askers={},
    )  # fmt: skip
    with budgets_at(f"sqlite:///{path}", make=True) as store:
        store.register(one)
        if spent:
            store.charge(one, "ann", "how many?", int(spent * UNITS), 0)


def test_budgets(folder: Path) -> None:
    assert states(facts(folder), "data.budgets") == ["not-applicable"]
    budget(folder, 4.0, 3.0)
    (finding,) = ask(facts(folder), "data.budgets")
    assert (finding.state, finding.figures) == ("passed", {"epsilon": 4.0, "spent": 3.0})
    assert states(facts(folder), "data.budgets", epsilon=3.9) == ["failed"]
    assert states(facts(folder), "data.budgets", spent=0.7) == ["failed"]
    (folder / "people.csv.budget").write_bytes(b"no database")
    assert states(facts(folder), "data.budgets") == ["unknown"]


def test_what_is_added_changed_or_removed_is_another_target(folder: Path) -> None:
    sources = Sources(environment=False)
    before = fingerprint(folder, sources)
    digest = facts(folder).subject.digest
    assert fingerprint(folder, sources) == before
    (folder / "notes.txt").write_text("a")
    (folder / "one" / "net" / "model.json").write_text("{}")
    (folder / "two" / "net" / "weights.safetensors").unlink()
    assert differing(before, fingerprint(folder, sources)) == (
        "notes.txt", "one/net/model.json", "two/net/weights.safetensors",
    )  # fmt: skip
    assert facts(folder).subject.digest != digest
