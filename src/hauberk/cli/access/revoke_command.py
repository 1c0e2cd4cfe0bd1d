from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.access.options import entered, vault_options


@click.command("revoke", epilog="Example: hauberk access revoke trainer --from ada --on 'face-*'")
@click.argument("what", metavar="ROLE|ACTION")
@click.option("--from", "name", required=True, metavar="NAME", help="Who has it.")
@click.option("--on", "pattern", default="*", show_default=True, metavar="PATTERN", help="As it was granted.")
@click.option("--deny", is_flag=True, help="Take a denial back, not a grant.")
@vault_options
@common.json_option
def command(
    what: str,
    name: str,
    pattern: str,
    deny: bool,
    vault: Path,
    as_name: str | None,
    api_key_file: Path | None,
    as_json: bool,
) -> None:
    """Take a grant or a denial back. It counts at once, in every process."""
    from hauberk.access import granting

    said = f"take back that {name} is {'denied' if deny else 'granted'} {what} on {pattern}"
    with entered(vault, as_name, api_key_file, "access.manage", said) as (opened, _):
        gone = granting.take_back(opened.database, what, name, pattern, "deny" if deny else "allow")
    if as_json:
        common.print_json({"id": gone.id, "identity": name, "effect": gone.effect, "what": what, "on": pattern})
    else:
        click.echo(f"grant {gone.id}: taken back from {name}")
