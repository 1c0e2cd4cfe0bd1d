from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common
from hauberk.cli.ledger.options import PATH

if TYPE_CHECKING:
    from hauberk.ledger.witness import Witness


@click.command(
    "witness",
    epilog="Example: hauberk ledger witness --state w1 --name witness.example/w1; "
    "hauberk ledger witness --state w1 --log log/key.pub --listen 127.0.0.1:2025",
)
@click.option("--state", required=True, type=PATH, metavar="DIR", help="Where its keys and the last heads are.")
@click.option("--name", default=None, metavar="NAME",
              help="What it is called; asked for on the first call, which makes its keys.")  # fmt: skip
@click.option("--key", "kinds", multiple=True, type=click.Choice(["ed25519", "ml-dsa-44"]),
              help="Which keys the first call makes; repeatable [default: both].")  # fmt: skip
@click.option("--log", "logs", multiple=True, metavar="VKEY|FILE",
              help="The public key of a log to watch, or a file of them; repeatable.")  # fmt: skip
@click.option("--listen", default=None, metavar="HOST:PORT",
              help="Answer POST /add-checkpoint there; PORT alone is for this machine only.")  # fmt: skip
@click.option("--ledger", default=None, metavar="DIR|URL", help="Cosign this log's newest head once instead.")
@common.json_option
def command(
    state: Path,
    name: str | None,
    kinds: tuple[str, ...],
    logs: tuple[str, ...],
    listen: str | None,
    ledger: str | None,
    as_json: bool,
) -> None:
    """Watch logs, and cosign each head that continues the last one (C2SP tlog-witness).

    Prints its public keys, which logs and readers put into their policies. Exit code 1: a head was refused.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.ledger.witness.keeping import KINDS, logs_of, open_witness

    if listen is not None and ledger is not None:
        raise ConfigError("--listen waits for heads and --ledger goes for one: choose")
    if (listen is not None or ledger is not None) and not logs:
        raise ConfigError("say which logs to watch", hint="--log VKEY, as hauberk ledger init prints it")
    watched = logs_of(logs)
    with open_witness(state, watched, name=name, kinds=kinds or tuple(KINDS), tell=common.say) as witness:
        if ledger is not None:
            _visit(witness, ledger, as_json)
            return
        _show(witness, as_json)
        if listen is not None:
            _serve(witness, listen)


def _show(witness: Witness, as_json: bool) -> None:
    vkeys = [str(one) for one in witness.verifiers]
    if as_json:
        common.print_json(
            {"name": witness.verifiers[0].name, "public_keys": vkeys, "logs": list(witness.origins)}
        )
    else:
        click.echo("\n".join(vkeys))


def _serve(witness: Witness, address: str) -> None:
    from hauberk.ledger.witness.service import listen, serve

    listening = listen(address)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    common.say(f"listening at http://{shown}:{port} for {', '.join(witness.origins)}; end with Ctrl-C")
    with suppress(KeyboardInterrupt):  # the way to end it
        serve(witness, listening)


def _visit(witness: Witness, ledger: str, as_json: bool) -> None:
    from hauberk.ledger.opening import open_ledger
    from hauberk.ledger.store.log import Log
    from hauberk.ledger.witness import visit

    with closing(open_ledger(ledger)) as log:
        checkpoint, signatures = visit(witness, log)
        if isinstance(log, Log):
            log.add_cosignatures(checkpoint, signatures)
    lines = "".join(one.line for one in signatures)
    if as_json:
        common.print_json({"checkpoint": checkpoint.decode(), "cosignatures": lines.splitlines()})
    else:
        click.echo(lines, nl=False)
