from __future__ import annotations

import click

from hauberk.cli.lazy import LazyGroup

_COMMANDS = {
    "alerts": "show what it found, newest first",
    "held": "show who is treated otherwise or refused now",
    "lift": "forget what is held against a caller",
}


@click.group(
    "guard",
    cls=LazyGroup,
    commands_in="hauberk.cli.guard",
    one_lines=_COMMANDS,
    epilog="Example: hauberk guard alerts --vault vault; hauberk guard lift ada --vault vault",
)
def command() -> None:
    """See what the guard of a vault's servers found about callers, and forgive.

    The guard watches while hauberk serve --vault runs; what it found stands in the vault's database.
    """
