from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common
from hauberk.cli.ledger.options import PATH, policy_of, policy_option

if TYPE_CHECKING:
    from hauberk.crypto.notes import Checkpoint, Note
    from hauberk.ledger.policy import Policy


@click.command(
    "verify",
    epilog="Example: hauberk ledger verify training.tlog-proof --entry evidence/training.json --policy policy",
)
@click.argument("proof", required=False, type=PATH, metavar="[PROOF]")
@click.option("--entry", type=PATH, default=None, metavar="FILE",
              help="What must be in the log: a document, or an entry's bytes.")  # fmt: skip
@click.option("--since", type=PATH, default=None, metavar="CHECKPOINT",
              help="An older head that you kept, which the log must continue.")  # fmt: skip
@policy_option
@click.option("--ledger", default=None, metavar="DIR|URL", help="Read the whole log instead of a proof.")
@common.json_option
def command(
    proof: Path | None,
    entry: Path | None,
    since: Path | None,
    policy: Path | None,
    ledger: str | None,
    as_json: bool,
) -> None:
    """Check a proof with the entry and a policy and nothing else; or, with --ledger, every hash of a whole log.

    A proof of consistency goes with --since in place of --entry. Exit code 0: it holds; 1: it does not.
    """
    from hauberk.core.errors import ConfigError

    if (proof is None) == (ledger is None):
        raise ConfigError("say what to verify: a proof file, or a whole log with --ledger")
    if ledger is not None:
        if entry is not None:
            raise ConfigError("--entry goes with a proof", hint="hauberk ledger prove makes one")
        found, text = _whole(ledger, since, policy)
    elif policy is None:
        raise ConfigError(
            "say whom to believe with --policy", hint="hauberk ledger init writes one to start from"
        )
    else:
        found, text = _file(proof or Path(), entry, since, policy)
    if as_json:
        common.print_json({"ok": True, **found})
    else:
        click.echo(text)


def _file(path: Path, entry: Path | None, since: Path | None, policy: Path) -> tuple[dict[str, object], str]:
    from hauberk.core.errors import ConfigError
    from hauberk.ledger.policy import Policy
    from hauberk.ledger.presenting import read_checkpoint, read_proof, verify_file
    from hauberk.ledger.proof import Proof

    believed = Policy.load(policy)
    made = read_proof(path)
    if isinstance(made, Proof):
        if entry is None or since is not None:
            raise ConfigError(f"{path} shows an entry: say which file it must be with --entry")
        head = verify_file(made, entry, believed)
        what, number = "index", made.index
        text = f"{entry} is entry {made.index} of {head.origin}, by its head of {head.size} entries"
    else:
        if since is None or entry is not None:
            raise ConfigError(f"{path} shows that a log grew: say from which head that you kept with --since")
        head = made.verify(read_checkpoint(since), believed)
        what, number = "old", made.old
        text = f"{head.origin} of {head.size} entries continues {since} of {made.old}"
    return _said(head, believed, made.head, text, {what: number})


def _whole(ledger: str, since: Path | None, policy: Path | None) -> tuple[dict[str, object], str]:
    from hauberk.ledger.auditing import audit
    from hauberk.ledger.opening import open_ledger
    from hauberk.ledger.presenting import read_checkpoint

    older = None if since is None else read_checkpoint(since)
    with closing(open_ledger(ledger)) as log:
        believed = policy_of(log, policy)
        found = audit(log, believed, older)
    text = f"{ledger}: holds the {found.head.size} entries that its head names, unchanged and in order"
    if found.since is not None:
        text += f", and continues {since} of {found.since.size}"
    more = {"tiles": found.tiles, "since": None if found.since is None else found.since.size}
    return _said(found.head, believed, found.note, text, more)


def _said(
    head: Checkpoint, believed: Policy, note: Note, text: str, more: Mapping[str, object]
) -> tuple[dict[str, object], str]:
    """What was found, as JSON and as text."""
    witnesses = list(dict.fromkeys(one.verifier.name for one in believed.cosignatures(note)))
    document = {
        **more,
        "origin": head.origin,
        "size": head.size,
        "root": head.root.hex(),
        "witnesses": witnesses,
    }
    return document, text + (f"; cosigned by {', '.join(witnesses)}" if witnesses else "")
