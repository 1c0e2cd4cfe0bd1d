from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common
from hauberk.cli.ledger.options import PATH, policy_of, policy_option

if TYPE_CHECKING:
    from hauberk.ledger.monitor import Look


@click.command(
    "monitor",
    epilog="Example: hauberk ledger monitor --ledger https://logs.example/models --policy policy "
    "--state models.seen --watch hardened --every 300",
)
@click.option("--ledger", required=True, metavar="DIR|URL", help="The ledger, or where it is published.")
@click.option(
    "--state", required=True, type=PATH, metavar="FILE", help="What was seen; made by the first look."
)
@policy_option
@click.option("--watch", multiple=True, metavar="NAME|DIGEST",
              help="Report entries that name this; repeatable.")  # fmt: skip
@click.option("--every", type=click.FloatRange(min=0, min_open=True), default=None, metavar="SECONDS",
              help="Look again and again [default: once].")  # fmt: skip
@common.json_option
def command(
    ledger: str, state: Path, policy: Path | None, watch: tuple[str, ...], every: float | None, as_json: bool
) -> None:
    """Read what is new in a log, and check that it continues what was seen and holds what its head says.

    Exit code 1: it forked, was rewritten or cut short. Both signed heads are then written beside the state.
    """
    from hauberk.core.errors import EnvironmentFailure
    from hauberk.ledger.monitor import look
    from hauberk.ledger.opening import open_ledger

    believed = None
    while True:
        try:
            with closing(open_ledger(ledger)) as log:
                believed = believed or policy_of(log, policy)
                _show(look(log, state, believed, watch=watch), as_json)
        except EnvironmentFailure as error:
            if every is None:
                raise
            common.say(f"warning: {error}; trying again")  # a log may be away for a while
        if every is None:
            return
        time.sleep(every)


def _show(found: Look, as_json: bool) -> None:
    if as_json:
        common.print_json(
            {
                "origin": found.head.origin,
                "size": found.head.size,
                "root": found.head.root.hex(),
                "new": found.head.size - found.before,
                "sightings": [{"entry": one.entry, "terms": list(one.terms)} for one in found.sightings],
            }
        )
        return
    new = found.head.size - found.before
    click.echo(f"{found.head.origin}: {found.head.size} entries, {new} of them new, all as the head says")
    for one in found.sightings:
        click.echo(f"  entry {one.entry} names {', '.join(one.terms)}")
