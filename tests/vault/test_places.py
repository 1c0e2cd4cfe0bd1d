"""A vault's folder, its settings, and the versions of its tables."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import hauberk.access.schema  # its tables stand in the same metadata
import hauberk.privacy.queries.schema
import hauberk.vault.migrations
from hauberk.core.errors import ConfigError, DataError
from hauberk.vault import Vault, create_vault, open_vault, upgrade_vault
from hauberk.vault.migrating import migrate
from hauberk.vault.schema import VERSION, VERSION_TABLE, metadata
from hauberk.vault.settings import Settings


def set_version(vault: Vault, version: str) -> None:
    with vault.database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'"))


def test_the_migrations_lead_to_the_tables_in_the_code(any_vault: Vault) -> None:
    with any_vault.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, [metadata, hauberk.privacy.queries.schema.metadata]) == []
        assert context.get_current_revision() == VERSION
    script = ScriptDirectory(str(Path(hauberk.vault.migrations.__file__).parent))
    assert script.get_heads() == [VERSION]


def test_each_step_of_an_upgrade_leads_to_the_next(any_vault: Vault) -> None:
    with any_vault.database.write() as connection:
        for table in inspect(connection).get_table_names():
            if not table.startswith("vault_"):
                connection.execute(text(f'DROP TABLE "{table}"' + _cascade(any_vault)))
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0001'"))
    with pytest.raises(DataError, match="tables of version 0001") as caught:
        open_vault(any_vault.folder)
    assert "hauberk vault upgrade" in str(caught.value.hint)
    assert upgrade_vault(any_vault.folder) == ("0001", VERSION)
    assert upgrade_vault(any_vault.folder) == (VERSION, VERSION)
    open_vault(any_vault.folder).close()


def _cascade(vault: Vault) -> str:
    return " CASCADE" if vault.settings.database.startswith("postgresql") else ""


def test_a_newer_database_is_refused_by_its_version(any_vault: Vault) -> None:
    set_version(any_vault, "9999")
    for act in (open_vault, upgrade_vault):
        with pytest.raises(DataError, match=r"version 9999, which is newer than this Hauberk knows"):
            act(any_vault.folder)


def test_a_migration_stopped_half_way_leaves_the_old_version(
    any_vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its first step, and after tables of the second were made."""

    class Stop(Exception):
        pass

    with any_vault.database.write() as connection:
        for table in inspect(connection).get_table_names():
            connection.execute(text(f'DROP TABLE IF EXISTS "{table}"' + _cascade(any_vault)))

    def stopped() -> None:
        with any_vault.database.write() as connection:
            migrate(connection, "here")
            assert inspect(connection).has_table("vault_models")
            raise Stop

    with pytest.raises(Stop):
        stopped()
    with any_vault.database.read() as connection:
        assert inspect(connection).get_table_names() == []
    with any_vault.database.write() as connection:
        assert migrate(connection, "here") is None


def test_a_new_vault_is_its_owners_alone(vault: Vault) -> None:
    assert stat.S_IMODE(vault.folder.stat().st_mode) == 0o700
    for name in ("vault.key", "vault.sqlite", "ledger/key"):
        assert stat.S_IMODE((vault.folder / name).stat().st_mode) == 0o600, name


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        create_vault(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["letter"]


def test_a_vault_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="does not answer"):
        create_vault(tmp_path / "vault", database="postgresql://nobody@127.0.0.1:1/none")
    assert list(tmp_path.iterdir()) == []


def test_one_database_holds_one_vault(any_vault: Vault, tmp_path: Path) -> None:
    if any_vault.settings.database.startswith("postgresql"):
        with pytest.raises(ConfigError, match="holds a vault already"):
            create_vault(tmp_path / "second", database=any_vault.settings.database)
        assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"database": "postgresql://me:secret@host/db"},
        {"database": "postgresql://me@host/db?password=secret"},
        {"artifacts": "s3://key:secret@bucket/path"},
        {"ledger": "postgresql://me:secret@host/db", "ledger_key": "key"},
    ],
)
def test_a_password_does_not_get_into_the_settings(tmp_path: Path, settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="in the clear") as caught:
        create_vault(tmp_path / "vault", **settings)
    assert "secret" not in str(caught.value) + str(caught.value.hint)
    assert not (tmp_path / "vault").exists()


WRONG: dict[str, tuple[Callable[[str], str], str]] = {
    "another format": (lambda toml: toml.replace("vault/1", "vault/2"), "hauberk-vault/2"),
    "no TOML": (lambda toml: toml + "[", "no TOML"),
    "a misspelt key": (lambda toml: toml.replace("database", "databse"), "databse"),
    "a missing key": (lambda toml: toml.replace('ledger = "ledger"\n', ""), "lacks ledger"),
    "a misspelt demand": (lambda toml: toml.replace("signed_by", "signed-by"), "signed-by"),
    "approvals by text": (lambda toml: toml.replace("approvals = 0", 'approvals = "1"'), "approvals"),
    "less than none": (lambda toml: toml.replace("approvals = 0", "approvals = -1"), "approvals"),
    "scan by number": (lambda toml: toml.replace("scan = true", "scan = 0"), "scan"),
    "no such evidence": (lambda toml: toml.replace("evidence = []", 'evidence = ["evaluaton"]'), "evaluation"),
    "a password": (lambda toml: toml.replace('"artifacts"', '"s3://a:b@c/d"'), "in the clear"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_settings_are_said_in_one_line(vault: Vault, wrong: str) -> None:
    change, said = WRONG[wrong]
    file = vault.folder / "vault.toml"
    before = file.read_text()
    file.write_text(change(before))
    assert file.read_text() != before
    with pytest.raises((ConfigError, DataError)) as caught:
        open_vault(vault.folder)
    assert said in f"{caught.value} {caught.value.hint}"
    assert "\n" not in str(caught.value)


def test_settings_read_as_they_were_written(vault: Vault) -> None:
    assert Settings.load(vault.folder) == vault.settings
    odd = Settings('a "b" \\ ü', "s3://bucket/x", "c", "d", "e")
    (vault.folder / "vault.toml").write_text(odd.to_toml())
    assert Settings.load(vault.folder) == odd


def test_no_vault_is_said_with_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no vault") as caught:
        open_vault(tmp_path)
    assert "hauberk vault init" in str(caught.value.hint)
