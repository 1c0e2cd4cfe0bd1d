from __future__ import annotations

from contextlib import closing

import click

from hauberk.cli import common


@click.command("head", epilog="Example: hauberk ledger head --ledger log > kept.checkpoint")
@click.option("--ledger", required=True, metavar="DIR|URL", help="The ledger, or where it is published.")
@common.json_option
def command(ledger: str, as_json: bool) -> None:
    """Print the newest checkpoint with its cosignatures.

    Keep one: it convicts a log that is rewritten later.
    """
    from hauberk.crypto.notes import Note
    from hauberk.ledger.checkpoint import peek
    from hauberk.ledger.opening import open_ledger

    with closing(open_ledger(ledger)) as log:
        signed = log.head()
    head = peek(signed)
    if as_json:
        signers = [one.name for one in Note.parse(signed).signatures]
        common.print_json(
            {
                "origin": head.origin,
                "size": head.size,
                "root": head.root.hex(),
                "signed_by": signers,
                "checkpoint": signed.decode(),
            }
        )
    else:
        click.echo(signed.decode(), nl=False)
