"""The rules about a vault, on a real one: as it should be, and with each fault."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_packages import ask, evaluation, make

from hauberk.access import AccessGate, Question, key_store, open_access
from hauberk.access import identities as people
from hauberk.access.granting import grant
from hauberk.assurance.auditing import audit
from hauberk.assurance.finding import Finding
from hauberk.assurance.gathering.gather import Sources, fingerprint, gather
from hauberk.assurance.gathering.releases import last_release
from hauberk.assurance.policy import load_policy
from hauberk.assurance.target import Target
from hauberk.assurance.trust import Trust
from hauberk.core.errors import AccessDenied
from hauberk.core.evidence import Evidence
from hauberk.vault import Vault, create_vault, open_vault, promote, push, revoke
from hauberk.vault.backup.making import vault_id

TODAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.at = TODAY

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(tmp_path: Path, clock: Clock) -> Iterator[Vault]:
    made = make(tmp_path / "models" / "net")
    evaluation(made)
    create_vault(tmp_path / "vault", clock=clock).close()
    settings = tmp_path / "vault" / "vault.toml"
    settings.write_text(settings.read_text().replace("approvals = 0", "approvals = 1"))
    with open_vault(tmp_path / "vault", clock=clock) as found:
        push(found, made.path, "net")
        yield found


def look(vault: Vault, at: datetime = TODAY, **sources: Any) -> Target:
    given = Sources(environment=False, vault=vault, **sources)
    return gather(vault.folder, Trust(), given, at=at)


def one(target: Target, rule: str, **settings: Any) -> Finding:
    (found,) = ask(target, rule, **settings)
    return found


def test_a_version_in_use_is_looked_at_like_a_package(vault: Vault, tmp_path: Path) -> None:
    (model,) = look(vault).models
    assert (model.place, model.broken) == ("net@1", "")
    assert [each.kind for each in model.evidence] == ["training", "evaluation"]
    for rule in ("integrity.package", "integrity.provenance", "robustness.worst-case", "integrity.ledger"):
        assert one(look(vault), rule).state == "passed", rule
    assert one(look(vault), "property.sealed").state == "passed"
    finding = one(look(vault), "robustness.worst-case", least=0.9)
    assert finding.fix[0] == "hauberk vault pull net@1 --out net"


def test_the_ledger_of_the_vault_must_be_one_that_the_policy_trusts(vault: Vault) -> None:
    strict = Trust(logs=("example.com/other+00000000+AQ==",))
    target = gather(vault.folder, strict, Sources(environment=False, vault=vault), at=TODAY)
    assert one(target, "integrity.ledger").state == "unknown"


def test_what_is_in_use_is_what_an_alias_names_or_the_newest(vault: Vault, tmp_path: Path) -> None:
    second = make(tmp_path / "two" / "net", seed=1)
    push(vault, second.path, "net")
    assert [each.place for each in look(vault).models] == ["net@2"]
    promote(vault, "net@1", "staging")
    assert [each.place for each in look(vault).models] == ["net@1"]
    revoke(vault, "net@1", "broken")
    assert one(look(vault), "integrity.package").state == "failed"


def test_bytes_that_were_changed_in_the_store(vault: Vault) -> None:
    largest = max(
        (vault.folder / "artifacts").rglob("*"), key=lambda each: each.stat().st_size * each.is_file()
    )
    data = bytearray(largest.read_bytes())
    data[-1] ^= 1
    largest.chmod(0o600)
    largest.write_bytes(data)
    assert one(look(vault), "integrity.package").state == "failed"


def test_stale_keys(vault: Vault, clock: Clock) -> None:
    people.add(vault.database, "ann", clock=clock)
    assert one(look(vault), "access.stale-keys").state == "passed"
    key = key_store.new(vault.database, "ann", lifetime=timedelta(days=300), clock=clock)
    later = TODAY + timedelta(days=91)
    assert one(look(vault), "access.stale-keys").state == "passed"
    assert one(look(vault, later), "access.stale-keys").figures["keys"] == [key.id]
    clock.at = TODAY + timedelta(days=50)
    grant(vault.database, "auditor", "ann")
    access = open_access(vault)
    access.require(access.by_key(key.text), Question("model.view", "net", ("1",)))
    assert one(look(vault, later), "access.stale-keys").state == "passed"  # used 41 days before
    assert one(look(vault, later), "access.stale-keys", age_days=90, unused_days=90).state == "failed"
    assert one(look(vault, TODAY + timedelta(days=301)), "access.stale-keys").state == "passed"  # it is over
    endless = key_store.new(vault.database, "ann", clock=clock)
    assert one(look(vault, clock.at), "access.stale-keys").figures["keys"] == [endless.id]
    assert one(look(vault, clock.at), "access.stale-keys", must_end=False).state == "passed"
    people.set_disabled(vault.database, "ann", True)
    assert one(look(vault, clock.at), "access.stale-keys").state == "passed"


def test_wide_roles(vault: Vault) -> None:
    for name in ("ann", "bob", "cem"):
        people.add(vault.database, name)
        grant(vault.database, "admin", name)
    assert one(look(vault), "access.wide-roles").state == "passed"
    assert one(look(vault), "access.wide-roles", most=2).state == "failed"
    people.add(vault.database, "nightly", "service")
    grant(vault.database, "predictor", "nightly")
    assert one(look(vault), "access.wide-roles").state == "passed"
    grant(vault.database, "access.*", "nightly")
    finding = one(look(vault), "access.wide-roles", most=9)
    assert (finding.state, finding.figures["services"]) == ("failed", ["nightly"])
    for action in ("access.manage", "vault.admin"):
        grant(vault.database, action, "nightly", effect="deny")
    assert one(look(vault), "access.wide-roles", most=9).state == "passed"


def test_second_factors(vault: Vault) -> None:
    people.add(vault.database, "ann")
    assert one(look(vault), "access.second-factor").state == "passed"
    open_access(vault).accounts.set_password("ann", "correct horse battery staple")
    finding = one(look(vault), "access.second-factor")
    assert (finding.state, finding.figures["names"]) == ("failed", ["ann"])
    people.set_disabled(vault.database, "ann", True)
    assert one(look(vault), "access.second-factor").state == "passed"


def test_four_eyes(vault: Vault) -> None:
    assert one(look(vault), "access.four-eyes").state == "passed"
    assert one(look(vault), "access.four-eyes", approvals=2).state == "failed"


def test_a_trail_that_was_edited(vault: Vault) -> None:
    people.add(vault.database, "ann")
    access = open_access(vault)
    for _ in range(3):
        access.decide(access.owner(), Question("model.view", "net", ("1",)))
    assert one(look(vault), "access.trail").state == "passed"
    with sqlite3.connect(vault.folder / "vault.sqlite") as connection:
        connection.execute("UPDATE access_trail SET who = 'bob' WHERE number = 2")
    connection.close()
    finding = one(look(vault), "access.trail")
    assert (finding.state, finding.severity) == ("failed", "critical")


def test_files_that_others_can_read(vault: Vault) -> None:
    assert one(look(vault), "access.files").state == "passed"
    (vault.folder / "ledger" / "key").chmod(0o644)
    assert one(look(vault), "access.files").state == "failed"


def test_artifacts_in_the_clear(vault: Vault) -> None:
    assert one(look(vault), "data.encrypted").state == "passed"
    (vault.folder / "artifacts" / "weights.txt").write_text('{"dtype": "F32"}')
    assert one(look(vault), "data.encrypted").state == "failed"


def drill(vault: Vault, folder: Path, *, passed: bool, created: str, name: str | None = None) -> Evidence:
    found = Evidence(
        kind="backup-drill", subject={"name": name or vault_id(vault), "digest": None},
        result={"passed": passed, "reason": None if passed else "bytes differ"}, created=created,
    )  # fmt: skip
    found.save(folder)
    return found


def test_drills(vault: Vault) -> None:
    folder = vault.folder.parent / "evidence"
    assert one(look(vault), "operations.backup-drill").state == "unknown"
    drill(vault, folder, passed=True, created="2026-02-27T00:00:00Z", name="another-vault")
    assert one(look(vault), "operations.backup-drill").state == "unknown"
    good = drill(vault, folder, passed=True, created="2026-02-01T00:00:00Z")
    finding = one(look(vault), "operations.backup-drill")
    assert (finding.state, finding.evidence) == ("passed", (good.digest,))
    assert one(look(vault), "operations.backup-drill", days=28).state == "failed"
    drill(vault, folder, passed=False, created="2026-02-02T00:00:00Z")
    assert one(look(vault), "operations.backup-drill").state == "failed"  # the newest counts


def test_retention(vault: Vault, tmp_path: Path) -> None:
    units = tmp_path / "units"
    units.mkdir()
    assert one(look(vault, schedules=(units,)), "operations.retention").state == "unknown"
    text = "ExecStart=/usr/bin/hauberk backup --vault {} --keep-daily 7 --keep-monthly 12\n"
    (units / "hauberk-backup.service").write_text(text.format("/somewhere/else"))
    assert one(look(vault, schedules=(units,)), "operations.retention").state == "unknown"
    (units / "hauberk-backup.service").write_text(text.format(vault.folder.resolve()))
    finding = one(look(vault, schedules=(units,)), "operations.retention", days=360)
    assert (finding.state, finding.figures["days"]) == ("passed", 360)
    assert one(look(vault, schedules=(units,)), "operations.retention", days=361).state == "failed"


def test_who_may_not_look_is_turned_away(vault: Vault, clock: Clock) -> None:
    people.add(vault.database, "eve")
    key = key_store.new(vault.database, "eve", clock=clock)
    access = open_access(vault)
    vault.gate = AccessGate(access, access.by_key(key.text))
    with pytest.raises(AccessDenied):
        look(vault)
    grant(vault.database, "auditor", "eve")
    assert look(vault).vault is not None


def test_looking_is_no_change_and_a_new_version_meanwhile_is(
    vault: Vault, tmp_path: Path, clock: Clock
) -> None:
    sources = Sources(environment=False, vault=vault)
    before = fingerprint(vault.folder, sources)
    verdict = audit(vault.folder, load_policy(profile="low"), sources, clock=clock)
    assert verdict.changed == ()
    assert fingerprint(vault.folder, sources) == before
    second = make(tmp_path / "two" / "net", seed=1)
    push(vault, second.path, "net")
    after = fingerprint(vault.folder, sources)
    assert {name for name in after if after[name] != before[name]} == {"versions"}


def test_the_last_release_is_what_production_named_before(tmp_path: Path, clock: Clock) -> None:
    """Of several verdicts, the last one from before the move that names that very version of this vault."""
    kept = tmp_path / "vault" / "evidence"
    with create_vault(tmp_path / "vault", clock=clock) as vault:
        for number in (1, 2):
            push(vault, make(tmp_path / str(number) / "net", seed=number).path, "net")
        sources = Sources(environment=False, vault=vault)

        def audited(days: int) -> Evidence:
            clock.at = TODAY + timedelta(days=days)
            found = audit(vault.folder, load_policy(profile="low"), sources, clock=clock).to_evidence()
            found.save(kept, f"audit-{days}")
            return found

        def last() -> str | None:
            found = last_release(vault, look(vault, clock.at))
            return None if found is None else found.created

        promote(vault, "net@1", "production")
        first, second = audited(1), audited(2)
        assert last() is None  # production has named nothing else
        clock.at = TODAY + timedelta(days=3)
        promote(vault, "net@2", "production")
        assert last() == second.created
        audited(4)
        assert last() == second.created  # of the present release
        others = [
            replace(second, subject={**second.subject, "name": "other"}),
            replace(second, result={**second.result, "models": [
                {**second.result["models"][0], "digest": "sha256:" + "0" * 64}
            ]}),
        ]  # fmt: skip
        (kept / "audit-2.json").unlink()
        for place, other in enumerate(others):
            other.save(kept, f"other-{place}")
        assert last() == first.created
        (kept / "audit-1.json").unlink()
        assert last() is None
