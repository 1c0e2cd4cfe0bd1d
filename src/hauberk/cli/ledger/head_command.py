from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.ledger.options import PATH


@click.command("head", epilog="Example: hauberk ledger head --ledger log > kept.checkpoint")
@click.option("--ledger", required=True, metavar="DIR|URL", help="The ledger, or where it is published.")
@click.option("--cosign", is_flag=True,
              help="First ask the witnesses of the policy to cosign it, and keep what they sign.")  # fmt: skip
@click.option("--policy", type=PATH, default=None, metavar="POLICY",
              help="With --cosign: the witnesses, their addresses, and how many must sign.")  # fmt: skip
@common.json_option
def command(ledger: str, cosign: bool, policy: Path | None, as_json: bool) -> None:
    """Print the newest checkpoint with its cosignatures.

    Keep one: it convicts a log that is rewritten later. With --cosign, exit code 1 says that the witnesses
    whom the policy asks for have not all cosigned.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.ledger.opening import open_ledger

    if cosign != (policy is not None):
        raise ConfigError("--cosign asks the witnesses that --policy names: give both, or neither")
    if policy is not None:
        _cosign(ledger, policy, as_json)
        return
    with closing(open_ledger(ledger)) as log:
        _show(log.head(), as_json)


def _cosign(ledger: str, policy: Path, as_json: bool) -> None:
    from hauberk.ledger.opening import open_log
    from hauberk.ledger.policy import Policy
    from hauberk.ledger.witness import cosign_and_keep

    believed = Policy.load(policy)
    with open_log(ledger) as log:
        done = cosign_and_keep(log, believed)
    for error in done.failed.values():
        common.say(f"warning: {error}")
    _show(done.checkpoint, as_json)
    believed.check(done.checkpoint)


def _show(signed: bytes, as_json: bool) -> None:
    from hauberk.crypto.notes import Note
    from hauberk.ledger.checkpoint import peek

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
