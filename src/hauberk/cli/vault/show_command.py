from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hauberk.cli import common
from hauberk.cli.vault.options import day, opened, vault_options, version_json, version_line


@click.command("show", epilog="Example: hauberk vault show digits@production --vault vault")
@click.argument("version", metavar="NAME[@VERSION]")
@vault_options
@common.json_option
def command(version: str, where: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """Show a model's versions and what happened to them, or one version with its files."""
    from hauberk.vault.listing import described, happened, visible
    from hauberk.vault.names import check_model

    with opened(where, as_name, api_key_file) as vault:
        if "@" in version:
            found, files = described(vault, version)
            events = happened(vault, found.model, found.number)
            listed = [found]
        else:
            listed, files = visible(vault, check_model(version)), []
            events = happened(vault, version)
    if as_json:
        document: dict[str, Any] = {
            "versions": [version_json(one) for one in listed],
            "events": [vars(one) for one in events],
        }
        if "@" in version:
            document["files"] = [vars(one) for one in files]
        common.print_json(document)
        return
    for one in listed:
        click.echo(version_line(one))
        if "@" in version:
            click.echo(
                f"  digest  {one.digest}\n  model   {one.subject}\n  signed  {one.signer or 'not asked for'}"
            )
    for file in files:
        click.echo(f"  {file.size_bytes:>12}  {file.sha256[:16]}…  {file.path}")
    for event in events:
        entry = "waits for the ledger" if event.entry is None else f"entry {event.entry}"
        click.echo(
            f"  {day(event.at_ms)}  @{event.number} {event.what}: {event.detail}, by {event.by}, {entry}"
        )
