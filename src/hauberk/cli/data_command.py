from __future__ import annotations

import click

from hauberk.cli.lazy import LazyGroup

_COMMANDS = {
    "scan": "find what tells about people in text and tables",
    "deidentify": "treat what was found, by a policy",
    "reidentify": "turn reversible tokens back, for who may",
    "anonymize": "make a table k-anonymous, l-diverse, t-close",
    "aggregate": "group a table and suppress small cells",
    "query": "ask a data set with differential privacy, within its budget",
    "seal": "encrypt files and folders for their recipients",
    "open": "decrypt what was sealed",
}


@click.group(
    "data",
    cls=LazyGroup,
    commands_in="hauberk.cli.data",
    one_lines=_COMMANDS,
    epilog="Example: hauberk data scan customers.csv; hauberk data deidentify customers.csv --out clean.csv",
)
def command() -> None:
    """Find and treat what data tells about people."""
