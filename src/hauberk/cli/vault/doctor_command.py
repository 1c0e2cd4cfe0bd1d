from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.vault.options import vault_option


@click.command("doctor", epilog="Example: hauberk vault doctor --vault vault")
@vault_option
@click.option("--strict", is_flag=True, help="Let warnings fail too.")
@common.json_option
def command(where: Path, strict: bool, as_json: bool) -> None:
    """Look at the places of a vault before they are trusted: disk, rights, database, store, clock.

    ok; warn: it should be better, or cannot be seen from here; fail: do not trust it. Only the places that the
    vault names are asked. Exit code 1: something fails.
    """
    from hauberk.vault.doctor.examining import examine, worst

    found = examine(where)
    passed = worst(found, strict=strict)
    if as_json:
        common.print_json({"passed": passed, "findings": [vars(one) for one in found]})
    else:
        for one in found:
            click.echo(f"{one.status:4}  {one.name:18}  {one.place}: {one.found}")
            if one.status != "ok":
                click.echo(f"      {'':18}  why: {one.why}")
                click.echo(f"      {'':18}  do: {one.todo}")
    if not passed:
        click.get_current_context().exit(1)
