from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common

_PATH = click.Path(path_type=Path)


@click.command("init", epilog="Example: hauberk ledger init --ledger log --origin example.com/models")
@click.option(
    "--ledger", required=True, metavar="DIR|URL", help="A new folder, or postgresql://USER@HOST/DATABASE."
)
@click.option("--origin", default=None, metavar="NAME",
              help="The log's name for all time; best where it will be published, without https:// "
              "[default: a random one].")  # fmt: skip
@click.option("--key", type=_PATH, default=None, metavar="FILE", envvar="HAUBERK_LEDGER_KEY",
              help="Where the log's secret key goes [default: DIR/key].")  # fmt: skip
@common.json_option
def command(ledger: str, origin: str | None, key: Path | None, as_json: bool) -> None:
    """Make a new ledger and the key that signs its heads.

    Prints the public key. Hand it to everybody who is to believe the log, such as in the policy file in DIR.
    """
    from hauberk.ledger.opening import create_ledger

    with create_ledger(ledger, origin=origin, key=key) as log:
        if as_json:
            common.print_json({"ledger": log.where, "origin": log.origin, "public_key": str(log.verifier)})
        else:
            click.echo(str(log.verifier))
        common.say(f"{log.where}: a new, empty log; who has its secret key can write in its name")
