from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common
from hauberk.cli.backup.options import (
    PATH,
    password_option,
    recipient_option,
    repository_of,
    retention_of,
    retention_options,
)
from hauberk.cli.vault.options import vault_option

if TYPE_CHECKING:
    from hauberk.vault.backup.schedule import Job

_WEEKLY = "04:30"


@click.command(
    "schedule",
    epilog="Example: hauberk backup schedule --vault vault --to /mnt/backup --password-file safe/password "
    "--recipient keys/backup.pub --keep-daily 7 --out units",
)
@vault_option
@click.option("--to", "place", required=True, metavar="REPO",
              help="A folder, sftp://USER@HOST/FOLDER or s3://BUCKET/FOLDER.")  # fmt: skip
@password_option
@recipient_option
@retention_options
@click.option("--every", type=click.Choice(["hour", "day", "week"]), default="day", show_default=True,
              help="How often to back up.")  # fmt: skip
@click.option("--at", default="03:15", show_default=True, metavar="HH:MM", help="When; hourly: its minutes.")
@click.option("--identity", type=PATH, default=None, metavar="KEY",
              help="Drill every week with this key; it then lies on this machine.")  # fmt: skip
@click.option("--evidence", type=PATH, default=Path("evidence"), show_default=True, metavar="DIR",
              help="Where drills leave their records.")  # fmt: skip
@click.option("--api-key-file", type=PATH, default=None, metavar="FILE",
              help="API key of the service that backs up [default: the folder's owner].")  # fmt: skip
@click.option("--user", default="", metavar="NAME", help="As whom it runs [default: you].")
@click.option("--environment-file", type=PATH, default=None, metavar="FILE",
              help="Lines NAME=VALUE for the jobs, such as S3's credentials; mode 600.")  # fmt: skip
@click.option("--cron", is_flag=True, help="One file for /etc/cron.d instead of systemd's.")
@click.option("--out", type=PATH, required=True, metavar="DIR", help="Where the files go.")
@common.json_option
def command(
    where: Path,
    place: str,
    password_file: Path | None,
    recipients: tuple[Path, ...],
    every: str,
    at: str,
    identity: Path | None,
    evidence: Path,
    api_key_file: Path | None,
    user: str,
    environment_file: Path | None,
    cron: bool,
    out: Path,
    as_json: bool,
    **kept: int,
) -> None:
    """Write systemd units or a cron file: a backup, every week a check of all bytes, and perhaps a drill.

    Nothing is installed. What has to be done with the files is printed.
    """
    from hauberk.cli.keys import recipients_of
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import write_atomic
    from hauberk.vault.backup.schedule import HOURS, Job, Runner, When, cron_file, systemd_files
    from hauberk.vault.settings import Settings, is_url

    if not recipients_of(recipients):
        raise ConfigError("say who can open the vault's keys in the backups", hint="--recipient PUB")
    repository, retention = repository_of(place, password_file), retention_of(kept)
    folder = repository.address.folder
    where, evidence = where.absolute(), evidence.absolute()
    ledger = Settings.load(where).ledger  # the audit trail's heads go there
    own = [where] if is_url(ledger) or (where / ledger).is_relative_to(where) else [where, Path(ledger)]
    with_password = ["--password-file", str((password_file or Path()).absolute())]
    to = str(folder or place)
    as_whom = ["--api-key-file", str(api_key_file.absolute())] if api_key_file else ["--as", "owner"]
    back_up = [
        *["--vault", str(where), *as_whom, "--to", to, *with_password],
        *(text for one in recipients for text in ("--recipient", str(one.absolute()))),
        *(retention.options if retention else []),
    ]
    local = [folder] if folder else []
    weekly, age = When("week", _WEEKLY), ["--max-age-hours", str(2 * HOURS[every])]
    jobs = [
        Job("hauberk-backup", f"Back up the vault {where.name}", _hauberk("backup", *back_up), When(every, at),
            [*own, *local]),
        Job("hauberk-backup-check", f"Read all backups of the vault {where.name}",
            _hauberk("backup", "check", "--from", to, *with_password, *age), weekly, local),
    ]  # fmt: skip
    if identity is not None:
        drill = ["--identity", str(identity.absolute()), "--evidence", str(evidence)]
        jobs.append(
            Job("hauberk-backup-drill", f"Restore and judge the vault {where.name}",
                _hauberk("backup", "drill", "--from", to, *with_password, *drill), weekly, [evidence])
        )  # fmt: skip
        evidence.mkdir(parents=True, exist_ok=True)
    runner = Runner(user, environment_file.absolute() if environment_file else None)
    files = {"hauberk-backup.cron": cron_file(jobs, runner)} if cron else systemd_files(jobs, runner)
    written = [str(write_atomic(out / name, text.encode())) for name, text in files.items()]
    if as_json:
        common.print_json({"files": written})
        return
    for one in written:
        click.echo(one)
    common.say(_how(jobs, out, cron))


def _hauberk(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "hauberk", *arguments]


def _how(jobs: list[Job], out: Path, cron: bool) -> str:
    if cron:
        return f"next: install -m 644 {out}/hauberk-backup.cron /etc/cron.d/hauberk-backup"
    timers = " ".join(f"{one.name}.timer" for one in jobs)
    return (
        f"next: cp {out}/hauberk-backup* /etc/systemd/system/ && systemctl daemon-reload "
        f"&& systemctl enable --now {timers}"
    )
