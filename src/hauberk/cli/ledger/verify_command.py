from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.ledger.policy import Policy
    from hauberk.ledger.published import PublishedLog
    from hauberk.ledger.store.log import Log

_PATH = click.Path(path_type=Path)


@click.command(
    "verify",
    epilog="Example: hauberk ledger verify training.tlog-proof --entry evidence/training.json --policy policy",
)
@click.argument("proof", required=False, type=_PATH, metavar="[PROOF]")
@click.option("--entry", type=_PATH, default=None, metavar="FILE",
              help="What must be in the log: a document, or an entry's bytes.")  # fmt: skip
@click.option("--since", type=_PATH, default=None, metavar="CHECKPOINT",
              help="An older head that you kept, which the log must continue.")  # fmt: skip
@click.option("--policy", type=_PATH, default=None, metavar="POLICY",
              help="Whom to believe [with --ledger: its own key].")  # fmt: skip
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
        document = _whole(ledger, since, policy)
    elif policy is None:
        raise ConfigError(
            "say whom to believe with --policy", hint="hauberk ledger init writes one to start from"
        )
    else:
        document = _file(proof or Path(), entry, since, policy)
    if as_json:
        common.print_json({"ok": True, **{key: value for key, value in document.items() if key != "text"}})
    else:
        click.echo(document["text"])


def _file(path: Path, entry: Path | None, since: Path | None, policy: Path) -> dict[str, object]:
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
    witnesses = [one.verifier.name for one in believed.cosignatures(made.head)]
    return {
        what: number,
        "origin": head.origin,
        "size": head.size,
        "root": head.root.hex(),
        "witnesses": witnesses,
        "text": text + _seen_by(witnesses),
    }


def _whole(ledger: str, since: Path | None, policy: Path | None) -> dict[str, object]:
    from hauberk.ledger.auditing import audit
    from hauberk.ledger.opening import open_ledger
    from hauberk.ledger.presenting import read_checkpoint

    older = None if since is None else read_checkpoint(since)
    with closing(open_ledger(ledger)) as log:
        believed = _policy(log, ledger, policy)
        found = audit(log, believed, older)
    witnesses = [one.verifier.name for one in believed.cosignatures(found.note)]
    continues = f", and continues {since} of {found.since.size}" if found.since is not None else ""
    return {
        "origin": found.head.origin,
        "size": found.head.size,
        "root": found.head.root.hex(),
        "tiles": found.tiles,
        "since": found.since.size if found.since is not None else None,
        "witnesses": witnesses,
        "text": f"{ledger}: holds the {found.head.size} entries that its head names, unchanged and in order"
        f"{continues}{_seen_by(witnesses)}",
    }


def _policy(log: Log | PublishedLog, ledger: str, policy: Path | None) -> Policy:
    from hauberk.core.errors import ConfigError
    from hauberk.ledger.policy import Policy
    from hauberk.ledger.store.log import Log

    if policy is not None:
        return Policy.load(policy)
    if isinstance(log, Log):
        common.say("note: believing the key that stands in the ledger itself; --policy says whom you believe")
        return Policy.of_log(log.verifier)
    raise ConfigError(f"say whose head of {ledger} is believed with --policy")


def _seen_by(witnesses: Sequence[str]) -> str:
    return f"; cosigned by {', '.join(dict.fromkeys(witnesses))}" if witnesses else ""
