from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common
from hauberk.cli.ledger.options import PATH

if TYPE_CHECKING:
    from hauberk.ledger.checkpoint import Checkpoint
    from hauberk.ledger.proof import Continuation, Proof
    from hauberk.ledger.reading import Reader


@click.command(
    "prove",
    epilog="Example: hauberk ledger prove evidence/training.json --ledger log --out training.tlog-proof",
)
@click.argument("entry", required=False, metavar="INDEX|FILE")
@click.option("--ledger", required=True, metavar="DIR|URL", help="The ledger, or where it is published.")
@click.option("--out", required=True, type=PATH, metavar="PROOF", help="The proof to write.")
@click.option("--consistency", default=None, metavar="CHECKPOINT|SIZE",
              help="Prove that the log continues this older head.")  # fmt: skip
@click.option("--policy", type=PATH, default=None, metavar="POLICY",
              help="Take the newest head that it believes [default: the newest].")  # fmt: skip
@click.option("--entry-out", type=PATH, default=None, metavar="FILE",
              help="Write the entry's bytes too: what the log holds, and verify takes.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace what is at --out and --entry-out.")
@common.json_option
def command(
    entry: str | None,
    ledger: str,
    out: Path,
    consistency: str | None,
    policy: Path | None,
    entry_out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write a proof that an entry is in the log (C2SP tlog-proof), or that the log continues an older head.

    hauberk ledger verify checks it offline. A FILE is found by the entry that it became.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import refuse_overwrite, write_atomic
    from hauberk.ledger.opening import open_ledger
    from hauberk.ledger.policy import Policy
    from hauberk.ledger.proving import prove_consistency, prove_inclusion

    if (entry is None) == (consistency is None) or (entry is None and entry_out is not None):
        raise ConfigError("say what to prove: INDEX or FILE (with --entry-out or without), or --consistency")
    for path in (out, entry_out):
        if path is not None:
            refuse_overwrite(path, force=force)
    believed = None if policy is None else Policy.load(policy)
    with closing(open_ledger(ledger)) as log:
        if entry is not None:
            index = _index(log, entry)
            made: Proof | Continuation = prove_inclusion(log, index, believed)
            data = log.entry(index)
        else:
            made = prove_consistency(log, _older(consistency or ""), believed)
    write_atomic(out, bytes(made))
    if entry_out is not None:
        write_atomic(entry_out, data)
    _show(made, out, as_json)


def _index(log: Reader, entry: str) -> int:
    from hauberk.ledger.presenting import find_file

    number = _number(entry)
    return find_file(log, entry) if number is None else number


def _older(text: str) -> Checkpoint | int:
    from hauberk.ledger.checkpoint import peek
    from hauberk.ledger.presenting import read_checkpoint

    number = _number(text)
    return peek(read_checkpoint(text)) if number is None else number


def _number(text: str) -> int | None:
    """What the words mean: a number, or the file of that name where there is one."""
    return int(text) if text.isdecimal() and len(text) < 20 and not Path(text).exists() else None


def _show(made: Proof | Continuation, out: Path, as_json: bool) -> None:
    from hauberk.ledger.checkpoint import peek
    from hauberk.ledger.proof import Proof

    head = peek(made.head)
    inclusion = isinstance(made, Proof)
    number = made.index if isinstance(made, Proof) else made.old
    if as_json:
        kind, what = ("inclusion", "index") if inclusion else ("consistency", "old")
        common.print_json(
            {"proof": str(out), "kind": kind, "origin": head.origin, what: number, "size": head.size}
        )
    else:
        what = f"entry {number} is in" if inclusion else f"the head of {number} entries is continued by"
        click.echo(f"{out}: {what} the head of {head.size} entries of {head.origin}")
