from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.access.options import entered, split_model, vault_options


@click.command("check", epilog="Example: hauberk access check ada model.promote face@production")
@click.argument("name")
@click.argument("action")
@click.argument("model", required=False, default="")
@click.option("--key", default=None, metavar="ID", help="With this one of NAME's keys, whose scopes count too.")
@vault_options
@common.json_option
def command(
    name: str,
    action: str,
    model: str,
    key: str | None,
    vault: Path,
    as_name: str | None,
    api_key_file: Path | None,
    as_json: bool,
) -> None:
    """Say whether NAME may do ACTION to MODEL, or MODEL@VERSION. Exit code 0: yes; 1: no.

    MODEL is left out for what is done to no model, such as audit.read.
    """
    from hauberk.access.deciding import Question
    from hauberk.access.explaining import explain

    said = f"check {name} {action} {model}".strip()
    with entered(vault, as_name, api_key_file, "access.view", said) as (opened, _):
        found = explain(
            opened.database, name, Question(action, *split_model(model)), key=key, clock=opened.clock
        )
    allowed, why = found.verdict.allowed, list(found.verdict.why)
    if as_json:
        common.print_json({"allowed": allowed, "why": why})
    else:
        click.echo(f"{'yes' if allowed else 'no'}: {'; '.join(why)}")
    if not allowed:
        raise click.exceptions.Exit(1)
