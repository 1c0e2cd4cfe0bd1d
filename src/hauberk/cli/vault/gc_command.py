from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.vault.options import opened, vault_options


@click.command("gc", epilog="Example: hauberk vault gc --vault vault")
@click.option("--older-than", "hours", type=float, default=1.0, show_default=True, metavar="HOURS",
              help="Leave alone what was written since: a push may be on its way.")  # fmt: skip
@vault_options
@common.json_option
def command(hours: float, where: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """Clear away what stopped pushes left behind, and tell the ledger what waits for it."""
    from hauberk.vault import collect

    with opened(where, as_name, api_key_file) as vault:
        found = collect(vault, older_than_s=3600 * hours)
    if as_json:
        common.print_json({"removed": found.removed, "told": found.told})
    else:
        click.echo(f"{found.removed} leftovers removed, {found.told} entries told to the ledger")
