"""Push, pull, promote, revoke: what goes in comes out, and what was published stays what it is."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from vault_packages import make_package

from hauberk.core.errors import AccessDenied, ConfigError, DataError, IntegrityError, PolicyViolation
from hauberk.core.evidence import Evidence
from hauberk.ledger.auditing import audit
from hauberk.ledger.policy import Policy as LedgerPolicy
from hauberk.ledger.statements import Statement
from hauberk.vault import (
    OwnerGate,
    Policy,
    Vault,
    collect,
    create_vault,
    open_vault,
    promote,
    pull,
    push,
    revoke,
)
from hauberk.vault.listing import happened, visible


class Person:
    """A gate that lets one person do everything."""

    def __init__(self, name: str) -> None:
        self.actor = name

    def check(self, action: str, model: str = "", versions: tuple[str, ...] = (), *, detail: str = "") -> None:
        return


class Refusing(OwnerGate):
    """A gate that refuses one action, and remembers what it was asked."""

    def __init__(self, action: str) -> None:
        self._action, self.asked = action, []  # type: ignore[var-annotated]

    def check(self, action: str, model: str = "", versions: tuple[str, ...] = (), *, detail: str = "") -> None:
        self.asked.append((action, model, versions))
        if action == self._action:
            raise AccessDenied("no")


def content(path: Path) -> dict[str, bytes]:
    return {one.relative_to(path).as_posix(): one.read_bytes() for one in path.rglob("*") if one.is_file()}


def demand(vault: Vault, **settings: object) -> None:
    vault.settings = replace(vault.settings, policy=Policy(**settings))  # type: ignore[arg-type]


def said(vault: Vault) -> list[Statement]:
    with open_vault(vault.folder) as own:
        size = audit(own.ledger, LedgerPolicy.of_log(own.ledger.verifier)).head.size
        return [one for data in own.ledger.entries(0, size) if (one := Statement.parse(data))]


def test_what_was_pushed_comes_back_byte_for_byte(any_vault: Vault, package: Path, tmp_path: Path) -> None:
    pushed = push(any_vault, package, "digits")
    assert (pushed.fresh, pushed.version.number, pushed.version.entry) == (True, 1, 0)
    for name in ("digits", "digits@1", f"digits@{pushed.version.digest}"):
        out = tmp_path / "out" / name.replace(":", "-")
        assert pull(any_vault, name, out).version == pushed.version
        assert content(out) == content(package)


def test_the_same_again_is_no_new_version(any_vault: Vault, package: Path, tmp_path: Path) -> None:
    first = push(any_vault, package, "digits")
    again = push(any_vault, package, "digits")
    assert (again.fresh, again.version) == (False, first.version)
    other = push(any_vault, make_package(tmp_path / "other", seed=1), "digits")
    assert (other.fresh, other.version.number) == (True, 2)
    back = push(any_vault, package, "digits")
    assert (back.fresh, back.version.number) == (True, 3), "a return to an earlier package is a version too"
    assert [one.number for one in visible(any_vault)] == [1, 2, 3]


def test_aliases_move_and_versions_do_not(any_vault: Vault, package: Path, tmp_path: Path) -> None:
    push(any_vault, package, "digits")
    push(any_vault, make_package(tmp_path / "other", seed=1), "digits")
    assert promote(any_vault, "digits@1", "production").done
    assert pull(any_vault, "digits@production", tmp_path / "a").version.number == 1
    moved = promote(any_vault, "digits@2", "production")
    assert (moved.done, moved.before) == (True, 1)
    assert pull(any_vault, "digits@production", tmp_path / "b").version.number == 2
    assert content(tmp_path / "a") == content(package)
    assert [one.aliases for one in visible(any_vault)] == [(), ("production",)]
    assert [one.kind for one in said(any_vault)] == ["publication"] * 2 + ["deployment"] * 2


def test_what_was_revoked_nobody_gets(any_vault: Vault, package: Path, tmp_path: Path) -> None:
    push(any_vault, package, "digits")
    push(any_vault, make_package(tmp_path / "other", seed=1), "digits")
    promote(any_vault, "digits@2", "production")
    revoke(any_vault, "digits@2", "trained on the wrong data")
    for name in ("digits@2", "digits@production"):
        with pytest.raises(PolicyViolation, match="revoked: trained on the wrong data"):
            pull(any_vault, name, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(PolicyViolation, match="revoked"):
        promote(any_vault, "digits@2", "staging")
    with pytest.raises(PolicyViolation, match="revoked"):
        push(any_vault, tmp_path / "other", "digits")
    assert pull(any_vault, "digits", tmp_path / "newest").version.number == 1
    told = said(any_vault)[-1]
    assert (told.kind, told.facts) == ("revocation", {"version": 2})
    assert told.salted.keys() == {"by", "reason"}


def test_production_waits_for_a_second_person(any_vault: Vault, package: Path) -> None:
    push(any_vault, package, "digits")
    demand(any_vault, approvals=1)
    any_vault.gate = Person("alice")
    for _ in range(2):
        asked = promote(any_vault, "digits@1", "production")
        assert (asked.done, asked.agreed, asked.lacking) == (False, ("alice",), 1)
    assert promote(any_vault, "digits@1", "staging").done, "only production asks for more"
    any_vault.gate = Person("bob")
    agreed = promote(any_vault, "digits@1", "production")
    assert (agreed.done, agreed.agreed) == (True, ("alice", "bob"))
    assert happened(any_vault, "digits")[-1].by == "alice, bob"


def test_a_request_lapses_and_does_not_come_from_the_future(vault: Vault, package: Path) -> None:
    push(vault, package, "digits")
    demand(vault, approvals=1)
    present = vault.clock()
    for jump_days, agreed in ((-8, 1), (2, 1), (0, 1), (0, 2)):
        vault.gate = Person(f"person{jump_days}{agreed}")
        vault.clock = partial(present.__add__, timedelta(days=jump_days))
        assert len(promote(vault, "digits@1", "production").agreed) == agreed


def test_a_version_keeps_its_later_evidence(vault: Vault, package: Path, tmp_path: Path) -> None:
    model = push(vault, package, "digits").version.subject
    demand(vault, evidence=["evaluation"])
    with pytest.raises(PolicyViolation, match="evaluation"):
        pull(vault, "digits", tmp_path / "out")
    with pytest.raises(PolicyViolation, match="evaluation"):
        push(vault, package, "digits")
    folder = package.parent / "evidence"
    told = Evidence(kind="evaluation", subject={"name": "small", "digest": model})
    told.save(folder)
    Evidence(kind="evaluation", subject={"name": "another", "digest": "sha256:" + "0" * 64}).save(folder)
    assert push(vault, package, "digits").version.number == 2
    pulled = pull(vault, "digits", tmp_path / "out" / "model")
    assert [Evidence.load(one) for one in pulled.evidence] == [told]


@pytest.fixture
def signed(package: Path, tmp_path: Path) -> Path:
    """The public key of who signed the package."""
    sign = pytest.importorskip("hauberk.protection.sign")
    for arguments in (
        ["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "private.pem"],
        ["ec", "-in", "private.pem", "-pubout", "-out", "public.pem"],
    ):
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)
    sign.sign(package, sign.KeySigner(tmp_path / "private.pem"), f"{package}.sig")
    return tmp_path / "public.pem"


def test_only_what_was_signed_goes_in_and_out(
    vault: Vault, package: Path, signed: Path, tmp_path: Path
) -> None:
    other = make_package(tmp_path / "other", seed=1)
    push(vault, other, "unsigned")
    demand(vault, signed_by=[str(signed)])
    version = push(vault, package, "digits").version
    assert version.signer is not None
    pulled = pull(vault, "digits", tmp_path / "out")
    assert pulled.signature is not None
    assert pulled.signature.read_bytes() == Path(f"{package}.sig").read_bytes()
    assert content(tmp_path / "out") == content(package), "with the statement of provenance"
    with pytest.raises(PolicyViolation, match="not signed"):
        push(vault, other, "digits")
    with pytest.raises(PolicyViolation, match="not signed"):
        pull(vault, "unsigned", tmp_path / "no")
    with pytest.raises(IntegrityError, match="not what was signed"):
        push(vault, other, "digits", signature=f"{package}.sig")


def test_who_is_not_trusted_is_refused(vault: Vault, package: Path, signed: Path, tmp_path: Path) -> None:
    push(vault, package, "digits")
    subprocess.run(
        "openssl ecparam -genkey -name prime256v1 -noout | openssl ec -pubout -out another.pem",
        shell=True, cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    demand(vault, signed_by=[str(tmp_path / "another.pem")])
    for act in (lambda: push(vault, package, "new"), lambda: pull(vault, "digits", tmp_path / "out")):
        with pytest.raises(IntegrityError) as caught:
            act()
        assert "\n" not in str(caught.value)


def test_a_dangerous_file_does_not_come_in(vault: Vault, package: Path) -> None:
    import pickle

    class Bad:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, ("true",)

    (package / "extra.pkl").write_bytes(pickle.dumps(Bad()))
    with pytest.raises(DataError, match="does not list"):
        push(vault, package, "digits")
    assert visible(vault) == []


@pytest.mark.parametrize("action", ["model.push", "model.pull", "model.promote", "model.revoke", "vault.admin"])
def test_the_gate_is_asked_before_anything_happens(
    vault: Vault, package: Path, tmp_path: Path, action: str
) -> None:
    push(vault, package, "digits")
    promote(vault, "digits@1", "staging")
    before, vault.gate = happened(vault, "digits"), Refusing(action)
    with pytest.raises(AccessDenied):
        {
            "model.push": lambda: push(vault, package, "other"),
            "model.pull": lambda: pull(vault, "digits@staging", tmp_path / "out"),
            "model.promote": lambda: promote(vault, "digits@1", "production"),
            "model.revoke": lambda: revoke(vault, "digits@1", "no"),
            "vault.admin": lambda: collect(vault),
        }[action]()
    assert happened(vault, "digits") == before
    assert not (tmp_path / "out").exists()


def test_all_names_of_a_version_are_told_to_the_gate(vault: Vault, package: Path, tmp_path: Path) -> None:
    push(vault, package, "digits")
    promote(vault, "digits@1", "production")
    vault.gate = gate = Refusing("")
    pull(vault, "digits@1", tmp_path / "out")
    assert gate.asked == [("model.pull", "digits", ("1", "production"))]
    with pytest.raises(DataError, match="no version"):
        pull(vault, "digits@7", tmp_path / "no")
    assert gate.asked[-1] == ("model.pull", "digits", ("7",)), "who may not is not told what there is"


def test_something_at_out_is_not_replaced_by_accident(vault: Vault, package: Path, tmp_path: Path) -> None:
    push(vault, package, "digits")
    out = tmp_path / "out"
    out.mkdir()
    (out / "letter").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ConfigError):
            pull(vault, "digits", out, overwrite=overwrite)
    assert (out / "letter").read_text() == "mine"
    pull(vault, "digits", tmp_path / "new")
    pull(vault, "digits", tmp_path / "new", overwrite=True)


def test_an_existing_ledger_can_be_written_into(package: Path, tmp_path: Path) -> None:
    from hauberk.ledger.opening import create_ledger

    create_ledger(tmp_path / "log").close()
    with create_vault(tmp_path / "vault", ledger=tmp_path / "log") as vault:
        push(vault, package, "digits")
        assert [one.kind for one in said(vault)] == ["publication"]
    assert not (tmp_path / "vault" / "ledger").exists()
