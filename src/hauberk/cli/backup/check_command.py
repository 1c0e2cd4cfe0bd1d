from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.backup.options import repository_of, repository_options


@click.command("check", epilog="Example: hauberk backup check --from /mnt/backup --password-file safe/password")
@repository_options
@click.option("--max-age-hours", type=click.IntRange(1), default=None, metavar="H",
              help="Fail where the newest backup is older.")  # fmt: skip
@common.json_option
def command(place: str, password_file: Path | None, max_age_hours: int | None, as_json: bool) -> None:
    """Read every byte of all backups, and compare it with the digest that it must have.

    A backup that somebody removed whole is not missed, unless --max-age-hours notices. What a check cannot show
    is that the content is a working vault: hauberk backup drill shows that. Exit code 1: damaged, lost or old.
    """
    from hauberk.vault.backup.ages import check_age

    repository = repository_of(place, password_file)
    repository.check()
    found = repository.snapshots()
    if max_age_hours is not None:
        check_age(found, max_age_hours, place)
    newest = found[-1].time if found else None
    if as_json:
        common.print_json({"ok": True, "snapshots": len(found), "newest": newest})
    else:
        click.echo(f"{place}: {len(found)} backups, every byte as it was written; newest: {newest or 'none'}")
