from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.backup.options import repository_of, repository_options


@click.command("list", epilog="Example: hauberk backup list --from /mnt/backup --password-file safe/password")
@repository_options
@common.json_option
def command(place: str, password_file: Path | None, as_json: bool) -> None:
    """Show the backups in a repository, oldest first: id, time, and of which vault."""
    found = repository_of(place, password_file).snapshots()
    if as_json:
        common.print_json({"snapshots": [vars(one) for one in found]})
        return
    for one in found:
        click.echo(f"{one.id}  {one.time[:19]}  vault {one.vault}")
    if not found:
        common.say(f"{place} holds no backup of a vault yet")
