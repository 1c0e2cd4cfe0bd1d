from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.vault.options import opened, vault_options, version_argument, version_json


@click.command(
    "revoke", epilog="Example: hauberk vault revoke digits@2 --reason 'trained on the wrong data' --vault vault"
)
@version_argument
@click.option("--reason", required=True, metavar="TEXT", help="In a line; the ledger gets a salted digest.")
@vault_options
@common.json_option
def command(
    version: str, reason: str, where: Path, as_name: str | None, api_key_file: Path | None, as_json: bool
) -> None:
    """Take a version out of use for ever: nobody gets it any more, whatever it is called.

    Its bytes and its history stay, and the same package cannot be pushed under this name again.
    """
    from hauberk.vault import revoke

    with opened(where, as_name, api_key_file) as vault:
        found = revoke(vault, version, reason)
    if as_json:
        common.print_json(version_json(found))
    else:
        click.echo(f"{found} is revoked: {found.revoked.reason if found.revoked else reason}")
        if found.aliases:
            common.say(f"{', '.join(found.aliases)} still names it, so that nobody gets anything by that name")
