from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.vault.options import PATH, vault_option


@click.command("init", epilog="Example: hauberk vault init --vault vault")
@vault_option
@click.option("--database", default=None, metavar="URL",
              help="postgresql://USER@HOST/DATABASE [default: SQLite in the folder].")  # fmt: skip
@click.option("--artifacts", default=None, metavar="DIR|URL",
              help="s3://…, gs://…, sftp://…, or another folder [default: in the folder].")  # fmt: skip
@click.option("--ledger", default=None, metavar="DIR|URL",
              help="An existing ledger to write into [default: a new one in the folder].")  # fmt: skip
@click.option("--ledger-key", type=PATH, default=None, metavar="FILE",
              help="That ledger's secret key [default: DIR/key].")  # fmt: skip
@common.json_option
def command(
    where: Path,
    database: str | None,
    artifacts: str | None,
    ledger: str | None,
    ledger_key: Path | None,
    as_json: bool,
) -> None:
    """Make a new, empty vault: its settings, its key, its tables and its ledger.

    Everything in it is encrypted with vault.key in the folder: keep a copy of that elsewhere.
    """
    from hauberk.vault import create_vault

    with create_vault(
        where, database=database, artifacts=artifacts, ledger=ledger, ledger_key=ledger_key
    ) as vault:
        settings = vault.settings
        if as_json:
            common.print_json(
                {
                    "vault": str(where),
                    "database": settings.database,
                    "artifacts": settings.artifacts,
                    "ledger": settings.ledger,
                    "ledger_verifier": settings.ledger_verifier,
                }
            )
        else:
            click.echo(f"{where}: a new vault; its ledger's public key is {settings.ledger_verifier}")
        common.say(f"keep a copy of {where / 'vault.key'} elsewhere: without it nothing here can be read again")
