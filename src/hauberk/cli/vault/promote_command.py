from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.vault.options import opened, vault_options, version_argument, version_json

_WAITS = 1


@click.command("promote", epilog="Example: hauberk vault promote digits@3 --to production --vault vault")
@version_argument
@click.option("--to", "alias", required=True, metavar="ALIAS", help="staging, production, or your own.")
@vault_options
@common.json_option
def command(
    version: str, alias: str, where: Path, as_name: str | None, api_key_file: Path | None, as_json: bool
) -> int:
    """Let an alias name a version.

    Where the policy asks for approvals, production moves when so many further people have given the same
    command. Exit code 1 says that it waits for them.
    """
    from hauberk.vault import promote

    with opened(where, as_name, api_key_file) as vault:
        found = promote(vault, version, alias)
    if as_json:
        common.print_json(
            {
                **version_json(found.version),
                "alias": alias,
                "done": found.done,
                "agreed": list(found.agreed),
                "lacking": found.lacking,
                "before": found.before,
            }
        )
    elif found.done:
        click.echo(f"{found.version.model}@{alias} is version {found.version.number} now")
    else:
        click.echo(
            f"{found.version} waits: {', '.join(found.agreed)} asked for {alias}, {found.lacking} more must"
        )
    return 0 if found.done else _WAITS
