from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.vault.options import vault_option


@click.command("upgrade", epilog="Example: hauberk vault upgrade --vault vault")
@vault_option
@common.json_option
def command(where: Path, as_json: bool) -> None:
    """Bring an older vault's tables up to date: all steps or none. Make a backup first."""
    from hauberk.vault import upgrade_vault

    before, after = upgrade_vault(where)
    if as_json:
        common.print_json({"vault": str(where), "before": before, "after": after})
    elif before == after:
        click.echo(f"{where}: tables of version {after}, nothing to do")
    else:
        click.echo(f"{where}: from version {before} to {after}")
