from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.vault.options import opened, vault_options, version_json, version_line


@click.command("list", epilog="Example: hauberk vault list --vault vault")
@vault_options
@common.json_option
def command(where: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """List all versions of all models that the caller may see."""
    from hauberk.vault.listing import visible

    with opened(where, as_name, api_key_file) as vault:
        found = visible(vault)
    if as_json:
        common.print_json({"versions": [version_json(one) for one in found]})
        return
    for one in found:
        click.echo(version_line(one))
    if not found:
        common.say("no versions yet; hauberk vault push PKG NAME makes one")
