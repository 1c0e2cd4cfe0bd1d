from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.access.options import at, entered, vault_options


@click.command("held", epilog="Example: hauberk guard held --json")
@vault_options
@common.json_option
def command(vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """Show whom the guard treats otherwise or refuses now, and until when."""
    from hauberk.serving.guard.lifting import held

    with entered(vault, as_name, api_key_file, "audit.read", "read the guard's verdicts") as (opened, _gate):
        found = held(opened.database)
    until = [None if one.until is None else at(int(one.until * 1000)) for one in found]
    if as_json:
        rows = zip(found, until, strict=True)
        common.print_json(
            {"held": [{"caller": one.caller, "action": one.action, "until": end} for one, end in rows]}
        )
        return
    for one, end in zip(found, until, strict=True):
        click.echo(f"{one.caller}  {one.action}  {f'until {end}' if end else 'until somebody lifts it'}")
    if not found:
        common.say("nobody is held")
