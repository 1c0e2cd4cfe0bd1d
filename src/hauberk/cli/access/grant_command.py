from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.access.options import entered, vault_options


@click.command("grant", epilog="Example: hauberk access grant release-manager --to ada --on 'face-*'")
@click.argument("what", metavar="ROLE|ACTION")
@click.option("--to", "name", required=True, metavar="NAME", help="Who gets it.")
@click.option("--on", "pattern", default="*", show_default=True, metavar="PATTERN",
              help="Models, with * for any characters; MODEL@VERSION for an alias or a number.")  # fmt: skip
@click.option("--deny", is_flag=True, help="Deny it instead; deny wins over everything that allows.")
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
    """Grant a role, or a single action such as model.pull, to somebody. It counts at once."""
    from hauberk.access import granting

    said = f"{'deny' if deny else 'grant'} {what} to {name} on {pattern}"
    with entered(vault, as_name, api_key_file, "access.manage", said) as (opened, _):
        made = granting.grant(opened.database, what, name, pattern, "deny" if deny else "allow")
    if as_json:
        common.print_json(
            {"id": made.id, "identity": name, "effect": made.effect, "what": made.what, "on": made.pattern}
        )
    else:
        click.echo(f"grant {made.id}: {'deny' if deny else 'allow'} {name} {what} on {pattern}")
