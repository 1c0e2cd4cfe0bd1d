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
    "drill",
    epilog="Example: hauberk backup drill --from /mnt/backup --password-file safe/pw --identity keys/backup",
)
@repository_options
@identity_options
@snapshot_option
@click.option("--work", type=PATH, default=None, metavar="DIR",
              help="Where there is room for all of it [default: the folder for temporary files].")  # fmt: skip
@database_options
@click.option("--evidence", type=PATH, default=Path("evidence"), show_default=True, metavar="DIR",
              help="Where the record goes.")  # fmt: skip
@common.json_option
def command(
    place: str,
    password_file: Path | None,
    identities: tuple[Path, ...],
    passphrase: bool,
    passphrase_file: Path | None,
    snapshot: str,
    work: Path | None,
    database: str | None,
    ledger_database: str | None,
    evidence: Path,
    as_json: bool,
) -> None:
    """Restore a backup into an empty place, compare every digest, verify ledger and trail, open one model.

    Then throw all of it away and leave a record. Exit code 1: the backup is not one.
    """
    from hauberk.access import check_trail
    from hauberk.vault.backup.drilling import drill

    opened = identities_of(identities, passphrase, passphrase_file)
    found = drill(
        repository_of(place, password_file),
        opened,
        snapshot=snapshot,
        work=work,
        target=target_of(database, ledger_database),
        checks=[check_trail],
    )
    written = found.evidence.save(evidence)
    result = found.evidence.result
    if as_json:
        common.print_json({"evidence": str(written), **result})
    elif found.passed:
        click.echo(
            f"passed: the backup of {result['backup_created'][:19]} holds {result['versions']} versions, "
            f"{result['artifacts']} artifacts, {result['ledger_size']} ledger entries; opened {result['model']}"
        )
    else:
        click.echo(f"not passed: {found.reason}")
    common.say(f"record: {written}")
    if not found.passed:
        click.get_current_context().exit(1)
