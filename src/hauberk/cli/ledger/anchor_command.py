from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common
from hauberk.cli.ledger.options import PATH, policy_of, policy_option

if TYPE_CHECKING:
    from hauberk.ledger.anchors.judging import Judged, Sources


@click.command(
    "anchor",
    epilog="Example: hauberk ledger anchor --ledger log --rfc3161 https://tsa.example; "
    "hauberk ledger anchor --check log/anchors/000000000012-3f2a9c10.checkpoint.tsr --ca tsa.pem --ledger log",
)
@click.option("--ledger", default=None, metavar="DIR|URL",
              help="The ledger; with --check, it must continue what was anchored.")  # fmt: skip
@click.option("--evm", default=None, metavar="URL", help="A node of an Ethereum-type chain (JSON-RPC).")
@click.option("--payer", type=PATH, default=None, metavar="FILE",
              help="The key that pays, 64 hexadecimal digits [default: the node's own account].")  # fmt: skip
@click.option("--rfc3161", default=None, metavar="URL", help="A time-stamping authority.")
@click.option("--ots", default=None, metavar="URL",
              help="An OpenTimestamps calendar; with --check, ask it for the way into Bitcoin.")  # fmt: skip
@click.option("--out", type=PATH, default=None, metavar="DIR",
              help="Where receipts go [default: the folder 'anchors' in the ledger's].")  # fmt: skip
@click.option("--check", type=PATH, default=None, metavar="RECEIPT", help="Check an anchor, make none.")
@click.option("--confirmations", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
              help="With --check: blocks that must stand on it.")  # fmt: skip
@click.option("--ca", type=PATH, default=None, metavar="FILE",
              help="With --check: the time-stamping authority's root certificates (PEM).")  # fmt: skip
@click.option("--bitcoin", default=None, metavar="URL", help="With --check: an Esplora server.")
@policy_option
@common.json_option
def command(
    ledger: str | None,
    evm: str | None,
    payer: Path | None,
    rfc3161: str | None,
    ots: str | None,
    out: Path | None,
    check: Path | None,
    confirmations: int,
    ca: Path | None,
    bitcoin: str | None,
    policy: Path | None,
    as_json: bool,
) -> None:
    """Tie the newest head to a chain or a time stamp, so that nobody can back-date it; or check that it holds.

    A receipt ends in .evm.json, .tsr or .ots; the head lies beside it. Exit code 0: it holds; 1: it does not.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.ledger.anchors.judging import Sources

    if check is None:
        if ledger is None:
            raise ConfigError("say which ledger's head to anchor with --ledger")
        _make(ledger, out, evm, payer, rfc3161, ots, as_json)
        return
    if ots is not None:
        _upgrade(check, ots)
    _check(check, Sources(evm, confirmations, ca, bitcoin), ledger, policy, as_json)


def _make(
    ledger: str,
    out: Path | None,
    evm: str | None,
    payer: Path | None,
    rfc3161: str | None,
    ots: str | None,
    as_json: bool,
) -> None:
    from hauberk.core.errors import ConfigError
    from hauberk.ledger.anchors.making import anchor
    from hauberk.ledger.anchors.receipts import kind_of
    from hauberk.ledger.opening import open_ledger

    if out is None and "://" in ledger:
        raise ConfigError("a ledger that is no folder has no place for receipts", hint="--out DIR")
    folder = out or Path(ledger) / "anchors"
    made = []
    with closing(open_ledger(ledger)) as log:
        for path in anchor(log, folder, evm_url=evm, payer=payer, rfc3161_url=rfc3161, ots_url=ots):
            made.append(path)
            if not as_json:
                click.echo(str(path))
    if as_json:
        common.print_json({"receipts": [{"kind": kind_of(one), "file": str(one)} for one in made]})


def _upgrade(receipt: Path, url: str) -> None:
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import read_bytes, write_atomic
    from hauberk.ledger.anchors import ots
    from hauberk.ledger.anchors.receipts import kind_of

    if kind_of(receipt) != "ots":
        raise ConfigError(f"{receipt} has no use for a calendar")
    before = read_bytes(receipt, what="receipt of an anchor")
    after = ots.upgrade(url, before)
    if after != before:
        write_atomic(receipt, after)
        common.say(f"{receipt}: now with its way into Bitcoin")


def _check(receipt: Path, sources: Sources, ledger: str | None, policy: Path | None, as_json: bool) -> None:
    from hauberk.ledger.anchors.judging import judge
    from hauberk.ledger.opening import open_ledger

    if ledger is None:
        found = judge(receipt, sources, policy_of(None, policy))
    else:
        with closing(open_ledger(ledger)) as log:
            found = judge(receipt, sources, policy_of(log, policy), log=log)
    if as_json:
        common.print_json(_document(found))
        return
    click.echo(
        f"{found.head.origin}: the head of {found.head.size} entries existed by "
        f"{found.anchored.existed_by:%Y-%m-%d %H:%M:%S} UTC, says {found.anchored.witness}"
    )
    if found.now is not None:
        click.echo(f"the log of now, {found.now.size} entries, continues it")


def _document(found: Judged) -> dict[str, object]:
    return {
        "ok": True,
        "kind": found.anchored.kind,
        "origin": found.head.origin,
        "size": found.head.size,
        "root": found.head.root.hex(),
        "existed_by": f"{found.anchored.existed_by:%Y-%m-%dT%H:%M:%SZ}",
        "witness": found.anchored.witness,
        **found.anchored.facts,
        "now": None if found.now is None else found.now.size,
    }
