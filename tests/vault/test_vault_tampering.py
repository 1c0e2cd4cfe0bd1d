"""Who writes in the vault's places without its key, or in its database, is found before a byte is used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from vault_packages import make_package

from hauberk.core.errors import ConfigError, HauberkError, IntegrityError, PolicyViolation
from hauberk.crypto import owner_key
from hauberk.vault import Vault, open_vault, pull, push, registry, revoke


def blobs(vault: Vault) -> list[Path]:
    return sorted((vault.folder / "artifacts").glob("??/*"))


def refused(vault: Vault, out: Path, kind: type[HauberkError] = IntegrityError) -> str:
    with pytest.raises(kind) as caught:
        pull(vault, "digits@1", out)
    assert not out.exists()
    assert list(out.parent.glob(f".{out.name}*")) == [], "nothing is left beside it"
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_flipped_bit_of_every_blob_is_found(vault: Vault, tmp_path: Path) -> None:
    push(vault, make_package(tmp_path / "small", size=40), "digits")
    with vault.database.read() as connection:
        files = {vault.keys.blob_name(one.sha256): one for one in registry.files(connection, "digits", 1)}
    for blob in blobs(vault):
        good, file = blob.read_bytes(), files[blob.name]
        for place in range(len(good)):
            blob.write_bytes(good[:place] + bytes([good[place] ^ (1 << place % 8)]) + good[place + 1 :])
            if place % 97:
                with pytest.raises(IntegrityError):
                    vault.artifacts.read(file.sha256, file.size_bytes)
            else:
                refused(vault, tmp_path / "out")
        blob.write_bytes(good)
    pull(vault, "digits@1", tmp_path / "out")


@pytest.mark.parametrize("change", ["cut", "longer", "gone", "empty", "another"])
def test_a_blob_that_is_not_whole_is_found(vault: Vault, package: Path, tmp_path: Path, change: str) -> None:
    push(vault, package, "digits")
    for number, blob in enumerate(blobs(vault)):
        good = blob.read_bytes()
        others = [one.read_bytes() for one in blobs(vault) if one != blob]
        if change == "gone":
            blob.unlink()
        else:
            changed = {"cut": good[:-1], "longer": good + b"\0", "empty": b"", "another": others[0]}[change]
            blob.write_bytes(changed)
        refused(vault, tmp_path / f"out{number}")
        blob.write_bytes(good)


CHANGES = {
    "another file": "UPDATE vault_files SET sha256 = '{other}' WHERE number = 1 AND path LIKE '%safetensors'",
    "a file less": "DELETE FROM vault_files WHERE number = 1 AND path LIKE '%training.json'",
    "another size": "UPDATE vault_files SET size_bytes = 8 WHERE number = 1 AND path LIKE '%model.json'",
    "all files of the other": "UPDATE vault_files SET number = 3 - number",
    "another digest": "UPDATE vault_versions SET digest = 'sha256:00' WHERE number = 1",
    "the other's entry": "UPDATE vault_events SET entry = 1 WHERE number = 1",
    "no such entry": "UPDATE vault_events SET entry = 77 WHERE number = 1",
    "the other's package": """
        UPDATE vault_versions SET (digest, subject) =
            (SELECT digest, subject FROM vault_versions WHERE number = 2) WHERE number = 1""",
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_edited_database_is_found(vault: Vault, package: Path, tmp_path: Path, change: str) -> None:
    push(vault, package, "digits")
    push(vault, make_package(tmp_path / "other", seed=1), "digits")
    with vault.database.write() as connection:
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        other = hashlib.sha256(b"").hexdigest()
        if change == "all files of the other":
            connection.execute(text("UPDATE vault_files SET number = number + 10"))
            connection.execute(text("UPDATE vault_files SET number = 13 - number"))
        else:
            connection.execute(text(CHANGES[change].format(other=other)))
    refused(vault, tmp_path / "out")


def test_a_revocation_that_was_taken_back_in_the_database_still_counts(
    vault: Vault, package: Path, tmp_path: Path
) -> None:
    push(vault, package, "digits")
    revoke(vault, "digits@1", "bad")
    with vault.database.write() as connection:
        connection.execute(
            text("UPDATE vault_versions SET revoked_ms = NULL, revoked_by = NULL, revoked_reason = NULL")
        )
        connection.execute(text("DELETE FROM vault_events WHERE what = 'revocation'"))
    assert "says entry 1 of the ledger" in refused(vault, tmp_path / "out", PolicyViolation)


def test_another_ledger_is_refused(vault: Vault, package: Path, tmp_path: Path) -> None:
    from hauberk.ledger.opening import create_ledger

    push(vault, package, "digits")
    (vault.folder / "ledger").rename(tmp_path / "was")
    create_ledger(vault.folder / "ledger").close()
    with open_vault(vault.folder) as again:
        assert "signed by" in refused(again, tmp_path / "out")


def test_another_key_is_refused(vault: Vault) -> None:
    key = vault.folder / "vault.key"
    key.unlink()
    owner_key.generate(key, "vault").wipe()
    with pytest.raises(IntegrityError, match="not the key"):
        open_vault(vault.folder)
    key.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read"):
        open_vault(vault.folder)


def test_names_at_rest_tell_nothing_about_contents(vault: Vault, package: Path, tmp_path: Path) -> None:
    push(vault, package, "digits")
    from hauberk.vault import create_vault

    with create_vault(tmp_path / "second") as second:
        push(second, package, "digits")
        first, other = ({one.name for one in blobs(each)} for each in (vault, second))
    plain = {hashlib.sha256(one.read_bytes()).hexdigest() for one in package.rglob("*") if one.is_file()}
    assert len(first) == len(plain) == 3
    assert not first & other
    assert not (first | other) & plain
    stored = b"".join(one.read_bytes() for one in blobs(vault))
    assert (package / "weights.safetensors").read_bytes()[-64:] not in stored


def edit(package: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    (package / name).write_bytes(change((package / name).read_bytes()))


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json", "evidence/training.json"])
def test_a_package_that_was_changed_does_not_come_in(vault: Vault, package: Path, name: str) -> None:
    edit(package, name, lambda data: data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    with pytest.raises(HauberkError):
        push(vault, package, "digits")
    leftovers = [one for one in blobs(vault) if one.name.endswith(".part")]
    assert leftovers == []


def test_a_manifest_that_claims_another_model_does_not_come_in(vault: Vault, package: Path) -> None:
    import json

    from hauberk.core.canonical import digest

    manifest = json.loads((package / "model.json").read_text())
    manifest["model"] = "sha256:" + "0" * 64
    del manifest["digest"]
    manifest["digest"] = digest(manifest)
    (package / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(IntegrityError, match="another model"):
        push(vault, package, "digits")
