from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.access.options import explained, question_options


@click.command("explain", epilog="Example: hauberk access explain ada model.pull face@3")
@question_options
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
    found = explained("explain", name, action, model, key, vault, as_name, api_key_file)
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
