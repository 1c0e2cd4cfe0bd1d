from __future__ import annotations

import click

from hauberk.cli.lazy import LazyGroup

_COMMANDS = {
    "init": "make a new ledger and its key",
    "append": "log documents, and print their entry numbers",
    "head": "print the newest signed checkpoint",
    "prove": "write a proof that an entry is in the log",
    "verify": "check a proof offline, or a whole log",
    "witness": "watch logs, and cosign heads that follow from the last",
    "monitor": "watch a log, and say when it forks or an entry is strange",
    "export": "write the static tiles that any file server can hand out",
    "anchor": "tie a checkpoint to a chain or a time stamp, and check it",
}


@click.group(
    "ledger",
    cls=LazyGroup,
    commands_in="hauberk.cli.ledger",
    one_lines=_COMMANDS,
    epilog="Example: hauberk ledger init --ledger log; hauberk ledger append evidence/*.json --ledger log",
)
def command() -> None:
    """Keep what happened in an append-only log that outsiders can check."""
