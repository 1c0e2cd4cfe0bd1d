from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.backup.options import (
    password_option,
    recipient_option,
    repository_of,
    retention_of,
    retention_options,
)
from hauberk.cli.lazy import LazyGroup
from hauberk.cli.vault.options import opened, vault_options

_COMMANDS = {
    "list": "show what backups there are",
    "check": "read every byte of all backups, and find what is damaged or lost",
    "drill": "restore into an empty place, compare everything, open a model, throw it away",
    "schedule": "write timer or cron files that back up by themselves",
}


@click.group(
    "backup",
    cls=LazyGroup,
    commands_in="hauberk.cli.backup",
    one_lines=_COMMANDS,
    invoke_without_command=True,
    epilog="Example: hauberk backup --vault vault --to /mnt/backup --password-file safe/password "
    "--recipient keys/backup.pub --keep-daily 7",
)
@vault_options
@click.option("--to", "place", default=None, metavar="REPO",
              help="A folder, sftp://USER@HOST/FOLDER or s3://BUCKET/FOLDER.")  # fmt: skip
@password_option
@recipient_option
@click.option("--init", "fresh", is_flag=True,
              help="Make the repository first, and the password file where there is none.")  # fmt: skip
@retention_options
@common.json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    where: Path,
    as_name: str | None,
    api_key_file: Path | None,
    place: str | None,
    password_file: Path | None,
    recipients: tuple[Path, ...],
    fresh: bool,
    as_json: bool,
    **kept: int,
) -> None:
    """Back up a vault: database, artifacts, ledger and keys, of one moment, encrypted, only what is new.

    Others may go on pushing. The vault's keys are in it for the recipients alone: keep their identities away
    from this machine, and the password too, or a backup helps nobody when both are gone.
    """
    if ctx.invoked_subcommand is not None:
        _refuse_options(ctx)
        return
    from hauberk.core.errors import ConfigError
    from hauberk.vault.backup.making import back_up
    from hauberk.vault.backup.password import new_password

    if place is None:
        raise ConfigError("say where the backup goes", hint="--to REPO; hauberk backup --help")
    if not recipients:
        raise ConfigError(
            "say who can open the vault's keys in the backup",
            hint="hauberk keygen --out backup, then --recipient backup.pub; keep the file backup elsewhere",
        )
    from hauberk.cli.keys import recipients_of

    readers, retention = recipients_of(recipients), retention_of(kept)
    with opened(where, as_name, api_key_file) as vault:
        if fresh and password_file is not None and not password_file.exists():
            new_password(password_file)
            common.say(f"note: {password_file} opens the backups: keep a copy of it elsewhere")
        repository = repository_of(place, password_file)
        if fresh:
            repository.create()
        made = back_up(vault, repository, readers)
        removed = repository.forget(retention, made.vault) if retention is not None else 0
    if as_json:
        common.print_json(
            {"vault": made.vault, **vars(made.stored), "artifacts": made.artifacts, "removed": removed}
        )
        return
    stored = made.stored
    gone = f", {removed} old removed" if removed else ""
    click.echo(
        f"{stored.snapshot}: {stored.size_bytes / 1e6:.2f} MB, {stored.added_bytes / 1e6:.2f} MB of it new, "
        f"{made.artifacts} artifacts{gone}"
    )


def _refuse_options(ctx: click.Context) -> None:
    """Options of a backup in front of another command would be ignored."""
    given = [
        name for name in ctx.params if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"options go behind '{ctx.invoked_subcommand}'", ctx)
