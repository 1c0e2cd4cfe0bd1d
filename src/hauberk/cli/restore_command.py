from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.backup.options import (
    PATH,
    database_options,
    repository_of,
    repository_options,
    snapshot_option,
    target_of,
)
from hauberk.cli.keys import identities_of, identity_options


@click.command(
    "restore",
    epilog="Example: hauberk restore --from /mnt/backup --password-file safe/password --identity keys/backup "
    "--to vault",
)
@repository_options
@click.option("--to", "folder", type=PATH, required=True, metavar="DIR",
              help="The vault's new folder; not there yet, or empty.")  # fmt: skip
@identity_options
@snapshot_option
@database_options
@common.json_option
def command(
    place: str,
    password_file: Path | None,
    folder: Path,
    identities: tuple[Path, ...],
    passphrase: bool,
    passphrase_file: Path | None,
    snapshot: str,
    database: str | None,
    ledger_database: str | None,
    as_json: bool,
) -> None:
    """Make a vault out of a backup, in a new place, and verify all of it before it appears there.

    A ledger that is put back lacks what was logged since. Do not append to it while the other one lives on:
    compare it first with a head that you or a witness kept (hauberk ledger verify --ledger DIR/ledger --since).
    """
    from hauberk.access import check_trail
    from hauberk.vault.backup.restoring import restore

    opened = identities_of(identities, passphrase, passphrase_file)
    found = restore(
        repository_of(place, password_file),
        folder,
        opened,
        snapshot=snapshot,
        target=target_of(database, ledger_database),
        checks=[check_trail],
    )
    judged = found.judged
    if as_json:
        common.print_json({"vault": str(folder), **vars(found.snapshot), **vars(judged)})
        return
    click.echo(
        f"{folder}: the vault of {found.snapshot.time[:19]}, {judged.versions} versions, "
        f"{judged.artifacts} artifacts, {judged.ledger_size} ledger entries, all verified"
    )
    common.say("note: before anything is logged there, compare its ledger with a head that was kept elsewhere")
