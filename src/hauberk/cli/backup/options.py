"""What the commands about backups share: which repository, and with what its keys are opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from hauberk.vault.backup.restic import Repository
    from hauberk.vault.backup.restoring import Target
    from hauberk.vault.backup.retention import Retention

_Command = TypeVar("_Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
password_option = click.option(
    "--password-file", type=PATH, default=None, metavar="FILE", envvar="HAUBERK_BACKUP_PASSWORD_FILE",
    help="Mode 600; its first line opens the repository [default: $HAUBERK_BACKUP_PASSWORD_FILE].",
)  # fmt: skip
recipient_option = click.option(
    "--recipient", "recipients", type=PATH, multiple=True, metavar="PUB",
    help="Who can open the vault's keys in a backup: a .pub file of hauberk keygen; repeatable.",
)  # fmt: skip
snapshot_option = click.option(
    "--snapshot", default="latest", show_default=True, metavar="ID", help="Which; hauberk backup list."
)
_KEPT = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


def repository_options(command: _Command) -> _Command:
    """``--from`` and ``--password-file``."""
    return click.option(
        "--from", "place", required=True, metavar="REPO",
        help="A folder, sftp://USER@HOST/FOLDER or s3://BUCKET/FOLDER.",
    )(password_option(command))  # fmt: skip


def database_options(command: _Command) -> _Command:
    """``--database`` and ``--ledger-database``: empty databases, for what was in PostgreSQL."""
    command = click.option(
        "--ledger-database", default=None, metavar="URL",
        help="The same, for a ledger that has a database of its own.",
    )(command)  # fmt: skip
    return click.option(
        "--database", default=None, metavar="URL",
        help="An empty database for a vault in PostgreSQL: postgresql://USER@HOST/DATABASE.",
    )(command)  # fmt: skip


def retention_options(command: _Command) -> _Command:
    """``--keep-last`` to ``--keep-yearly``."""
    for name in reversed(_KEPT):
        command = click.option(
            f"--keep-{name}", type=click.IntRange(0), default=0, metavar="N",
            help="Remove older backups, but keep the newest N." if name == "last"
            else f"Keep the newest of each of N {_PERIODS[name]}.",
        )(command)  # fmt: skip
    return command


_PERIODS = {"hourly": "hours", "daily": "days", "weekly": "weeks", "monthly": "months", "yearly": "years"}


def retention_of(kept: dict[str, int]) -> Retention | None:
    """What the ``--keep-…`` options say; None where there are none."""
    from hauberk.vault.backup.retention import Retention

    return (
        Retention(**{name.removeprefix("keep_"): count for name, count in kept.items()})
        if any(kept.values())
        else None
    )


def repository_of(place: str, password_file: Path | None) -> Repository:
    """The repository that the options name.

    Raises:
        ConfigError: no password file.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.vault.backup.addresses import parse_address
    from hauberk.vault.backup.restic import Repository

    if password_file is None:
        raise ConfigError("with what is the repository opened?", hint="--password-file FILE")
    return Repository(parse_address(place), password_file)


def target_of(database: str | None, ledger_database: str | None) -> Target:
    from hauberk.vault.backup.restoring import Target

    return Target(database, ledger_database)
