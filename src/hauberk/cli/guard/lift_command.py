from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.access.options import entered, vault_options


@click.command("lift", epilog="Example: hauberk guard lift ada")
@click.argument("caller", metavar="NAME")
@vault_options
@common.json_option
def command(caller: str, vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """Forget what the guard holds against a caller, in every server of the vault within about a second."""
    from hauberk.access.words import OWNER, check_name
    from hauberk.serving.guard.lifting import lift

    if caller != OWNER:
        check_name(caller)
    detail = f"lift what the guard holds against {caller}"
    with entered(vault, as_name, api_key_file, "access.manage", detail) as (opened, _gate):
        found = lift(opened.database, caller)
    if as_json:
        common.print_json({"caller": caller, "lifted": found})
    else:
        click.echo(
            f"{caller}: {'lifted' if found else 'nothing was held against him; what was remembered is gone'}"
        )
