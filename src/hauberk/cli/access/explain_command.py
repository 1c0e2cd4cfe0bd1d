from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.access.options import entered, split_model, vault_options


@click.command("explain", epilog="Example: hauberk access explain ada model.pull face@3")
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
    """Say which rules allow or refuse it, and which others speak of ACTION. Deny wins."""
    from hauberk.access.deciding import Question
    from hauberk.access.explaining import explain

    said = f"explain {name} {action} {model}".strip()
    with entered(vault, as_name, api_key_file, "access.view", said) as (opened, _):
        found = explain(
            opened.database, name, Question(action, *split_model(model)), key=key, clock=opened.clock
        )
    if as_json:
        rules = [
            {
                "name": one.named.name,
                "effect": one.named.rule.effect,
                "action": one.named.rule.action,
                "on": one.named.rule.pattern,
                "within": one.named.within,
                "decided": one.decided,
            }
            for one in found.rules
        ]
        common.print_json({"allowed": found.verdict.allowed, "why": list(found.verdict.why), "rules": rules})
        return
    on = f" on {model}" if model else ""
    click.echo(
        f"{name} {'may' if found.verdict.allowed else 'may not'} {action}{on}: {'; '.join(found.verdict.why)}"
    )
    for one in found.rules:
        click.echo(f"{'decided' if one.decided else '       '}  {one}")
