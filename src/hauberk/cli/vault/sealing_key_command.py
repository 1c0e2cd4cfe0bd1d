from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.vault.options import opened, vault_options


@click.command("sealing-key", epilog="Example: hauberk vault sealing-key --vault vault")
@vault_options
@common.json_option
def command(where: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """Print the fingerprint of the key to which callers seal requests to this vault's servers.

    Tell it to callers on a way of its own: a key that comes from the server alone could be a proxy's.
    """
    from hauberk.serving.sealing import fingerprint, sealing_key

    with opened(where, as_name, api_key_file) as vault:
        key = sealing_key(vault).recipient
    if as_json:
        common.print_json({"fingerprint": fingerprint(key), "key": str(key)})
    else:
        click.echo(fingerprint(key))
