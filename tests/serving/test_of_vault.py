"""What must hold before a version of a vault is served: a test for each reason to refuse it."""

from __future__ import annotations

import json
import pickle
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hauberk.access import AccessGate, identities, open_access
from hauberk.access.deciding import Caller
from hauberk.core.canonical import digest, file_digest
from hauberk.core.errors import (
    AccessDenied,
    ConfigError,
    HauberkError,
    IntegrityError,
    NoIdentityMatched,
    PolicyViolation,
)
from hauberk.crypto import age
from hauberk.ledger.history import history
from hauberk.ledger.policy import Policy as Believed
from hauberk.protection.seal import seal
from hauberk.serving.deploying import Deployments
from hauberk.serving.of_vault import admitted
from hauberk.vault import Policy, Vault, create_vault, promote, push, revoke
from hauberk.vault.listing import happened


@pytest.fixture
def vault(tmp_path: Path, nets: tuple[Path, Path]) -> Iterator[Vault]:
    """Two versions, of which the first was in production once and the second is."""
    with create_vault(tmp_path / "vault") as made:
        for number, package in enumerate(nets, start=1):
            push(made, package, "net")
            promote(made, f"net@{number}", "production")
        yield made


def changed(vault: Vault, statement: str, **values: object) -> None:
    """Somebody writes in the vault's database."""
    with vault.database.write() as connection:
        assert connection.execute(text(statement), values).rowcount > 0


def moved(vault: Vault) -> None:
    changed(vault, "UPDATE vault_aliases SET number = 1")


def made_up(vault: Vault) -> None:
    changed(vault, "UPDATE vault_aliases SET alias = 'staging'")


def unrevoked(vault: Vault) -> None:
    revoke(vault, "net@2", "leaks")
    changed(vault, "UPDATE vault_versions SET revoked_ms = NULL, revoked_by = NULL, revoked_reason = NULL")


def other_files(vault: Vault) -> None:
    changed(
        vault,
        "UPDATE vault_files SET sha256 = (SELECT sha256 FROM vault_files WHERE number = 1 AND path = :path),"
        " size_bytes = (SELECT size_bytes FROM vault_files WHERE number = 1 AND path = :path)"
        " WHERE number = 2 AND path = :path",
        path="package/weights.safetensors",
    )


def other_bytes(vault: Vault) -> None:
    for blob in (vault.folder / "artifacts").glob("??/*"):
        data = bytearray(blob.read_bytes())
        data[-1] ^= 1
        blob.write_bytes(data)


def demanding(**policy: Any) -> Callable[[Vault], None]:
    def change(vault: Vault) -> None:
        vault.settings = replace(vault.settings, policy=Policy(**policy))

    return change


def signed(vault: Vault) -> None:
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import ec

    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)
    (vault.folder / "release.pem").write_bytes(pem)
    demanding(signed_by=("release.pem",))(vault)


def nobody(vault: Vault) -> None:
    identities.add(vault.database, "server", "service")
    vault.gate = AccessGate(open_access(vault), Caller("server", "a test"))


def test_what_is_in_order_is_served(vault: Vault, nets: tuple[Path, Path]) -> None:
    import hauberk

    assert admitted(vault, (), "net", 2, "production").digest == hauberk.load(nets[1]).digest
    assert admitted(vault, (), "net", 1, None).digest == hauberk.load(nets[0]).digest  # asked for by its number


@pytest.mark.parametrize(
    ("number", "alias", "change", "kind", "says"),
    [
        (1, "production", moved, IntegrityError, "the ledger does not say that net@1 is net@production"),
        (2, "staging", made_up, IntegrityError, "the ledger does not say that net@2 is net@staging"),
        (2, "production", lambda vault: revoke(vault, "net@2", "leaks"), PolicyViolation, "was revoked: leaks"),
        (2, "production", unrevoked, PolicyViolation, "was revoked, says entry"),
        (2, "production", other_files, IntegrityError, "is not what entry"),
        (2, "production", other_bytes, IntegrityError, r"^\S"),
        (2, "production", demanding(evidence=("evaluation",)), PolicyViolation, "no evidence of the kind"),
        (2, "production", signed, PolicyViolation, "is not signed"),
        (2, "production", nobody, AccessDenied, "'server' is refused model.predict"),
    ],
)
def test_each_reason_to_refuse(
    vault: Vault,
    number: int,
    alias: str,
    change: Callable[[Vault], None],
    kind: type[HauberkError],
    says: str,
) -> None:
    change(vault)
    with pytest.raises(kind, match=says):
        admitted(vault, (), "net", number, alias)


def test_what_was_taken_in_without_a_scan_is_scanned(
    vault: Vault, nets: tuple[Path, Path], tmp_path: Path
) -> None:
    from shutil import copytree

    package = copytree(nets[0], tmp_path / "armed")
    (package / "extra.pkl").write_bytes(pickle.dumps(print))
    manifest = json.loads((package / "model.json").read_text())
    manifest["files"]["extra.pkl"] = {
        "sha256": file_digest(package / "extra.pkl").removeprefix("sha256:"),
        "size_bytes": (package / "extra.pkl").stat().st_size,
    }
    del manifest["digest"]
    manifest["digest"] = digest(manifest)
    (package / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(PolicyViolation):
        push(vault, package, "armed")
    demanding(scan=False)(vault)
    push(vault, package, "armed")
    promote(vault, "armed@1", "production")
    with pytest.raises(IntegrityError, match="pickle"):
        admitted(vault, (), "armed", 1, "production")


def test_sealed_versions_need_whoever_they_are_sealed_for(
    vault: Vault, nets: tuple[Path, Path], tmp_path: Path
) -> None:
    mine, other = age.generate(), age.generate()
    seal(nets[0], tmp_path / "net.sealed", [mine.recipient])
    push(vault, tmp_path / "net.sealed", "secret")
    promote(vault, "secret@1", "production")
    assert admitted(vault, (mine,), "secret", 1, "production").labels
    with pytest.raises(NoIdentityMatched):
        admitted(vault, (other,), "secret", 1, "production")
    with pytest.raises(ConfigError, match="nothing to open it with"):
        admitted(vault, (), "secret", 1, "production")


def test_a_deployment_is_told_once_and_stands_in_the_history(vault: Vault, nets: tuple[Path, Path]) -> None:
    here = Deployments(vault, "north")
    for number in (2, 2, 1, 1, 2):
        here.begun("net", number)
    Deployments(vault, "south").begun("net", 2)
    served = [(one.number, one.detail) for one in happened(vault, "net") if one.detail.startswith("served")]
    assert sorted(served) == [(1, "served by north"), *[(2, "served by north")] * 2, (2, "served by south")]
    log = vault.ledger
    told = history(nets[0], log, Believed.of_log(log.verifier))
    kinds = [one.kind for one in told.steps]
    assert told.holds
    assert kinds.count("deployment") == 2  # its promotion, and that a server began to serve it
    said = b"".join(log.entry(number) for number in range(told.head.size))
    assert b"north" not in said
    assert socket.gethostname().encode() not in said
    assert admitted(vault, (), "net", 2, "production").labels  # none of it is taken for a promotion


def test_what_the_ledger_does_not_learn_is_not_served(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    from hauberk.core.errors import EnvironmentFailure

    def away(*_given: object) -> None:
        raise EnvironmentFailure("the ledger is away")

    monkeypatch.setattr(vault.ledger, "append", away)
    with pytest.raises(EnvironmentFailure, match="the ledger does not take it"):
        Deployments(vault, "north").begun("net", 2)
