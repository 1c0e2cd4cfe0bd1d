from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.access.options import entered, vault_options


@click.command("alerts", epilog="Example: hauberk guard alerts --caller ada --newest 20")
@click.option("--caller", default=None, metavar="NAME", help="Alerts about him alone.")
@click.option("--newest", type=click.IntRange(1, 10_000), default=100, show_default=True, metavar="N",
              help="How many.")  # fmt: skip
@vault_options
@common.json_option
def command(
    caller: str | None, newest: int, vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool
) -> None:
    """Show the guard's newest alerts: when, about whom, which model, what was found and done, and why."""
    from hauberk.serving.guard.alert_table import recent

    with entered(vault, as_name, api_key_file, "audit.read", "read the guard's alerts") as (opened, _gate):
        found = recent(opened.database, newest, caller=caller)
    if as_json:
        common.print_json({"alerts": [{"number": one.number, **one.alert.to_json()} for one in found]})
        return
    for one in found:
        alert = one.alert
        click.echo(
            f"{one.number}  {alert.at}  {alert.caller or '(all callers)'}  {alert.name}  {alert.finding}  "
            f"{alert.action}  ({alert.reason})"
        )
    if not found:
        common.say("no alerts")
