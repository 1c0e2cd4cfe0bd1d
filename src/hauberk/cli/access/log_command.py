from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common
from hauberk.cli.access.options import at, entered, moment, span, vault_options

if TYPE_CHECKING:
    from hauberk.access import AccessGate
    from hauberk.access.trail.reading import Filter
    from hauberk.vault import Vault

_PATH = click.Path(path_type=Path)


@click.command("log", epilog="Example: hauberk access log --who ada --refused --since 7d")
@click.option("--who", default=None, metavar="NAME", help="Lines of this identity.")
@click.option("--model", default=None, metavar="PATTERN", help="Lines about these models.")
@click.option("--action", default=None, metavar="ACTION", help="Lines about this action, or 'enter'.")
@click.option("--allowed", "answer", flag_value="allowed", default=None, help="Lines that say yes.")
@click.option("--refused", "answer", flag_value="refused", help="Lines that say no.")
@click.option("--since", default=None, metavar="WHEN", help="2026-01-31, 2026-01-31T09:30:00Z, or 7d.")
@click.option("--until", default=None, metavar="WHEN", help="Before then.")
@click.option("--newest", type=click.IntRange(1), default=None, metavar="N", help="The N newest of them.")
@click.option("--export", type=click.Choice(["ocsf", "lines"]), default=None,
              help="JSON lines: events of OCSF, or the trail's own fields.")  # fmt: skip
@click.option("--verify", is_flag=True, help="Compare the whole trail with the ledger.")
@click.option("--policy", type=_PATH, default=None, metavar="POLICY",
              help="With --verify: whose ledger heads to believe [default: the vault's own].")  # fmt: skip
@click.option("--since-head", type=_PATH, default=None, metavar="CHECKPOINT",
              help="With --verify: an older head of the ledger that you kept.")  # fmt: skip
@click.option("--publish", is_flag=True, help="Put the newest head into the ledger now.")
@click.option("--keep", default=None, metavar="SPAN",
              help="Remove older lines, such as 365d, which the ledger covers.")  # fmt: skip
@vault_options
@common.json_option
def command(
    who: str | None,
    model: str | None,
    action: str | None,
    answer: str | None,
    since: str | None,
    until: str | None,
    newest: int | None,
    export: str | None,
    verify: bool,
    policy: Path | None,
    since_head: Path | None,
    publish: bool,
    keep: str | None,
    vault: Path,
    as_name: str | None,
    api_key_file: Path | None,
    as_json: bool,
) -> None:
    """Show the audit trail: who asked for what, from where, the answer and the rules that gave it.

    With --verify, exit code 1 says that a line was changed, removed, added or moved.
    """
    from hauberk.access.trail.reading import Filter
    from hauberk.core.errors import ConfigError

    if verify + publish + (keep is not None) > 1:
        raise ConfigError("--verify, --publish and --keep are asked for one at a time")
    if (policy or since_head) and not verify:
        raise ConfigError("--policy and --since-head go with --verify")
    allowed = None if answer is None else answer == "allowed"
    wanted = Filter(who, model, action, allowed, moment(since), moment(until))
    span(keep)
    detail = "verify the trail" if verify else "publish the trail's head" if publish else "read the trail"
    with entered(vault, as_name, api_key_file, "audit.read", detail) as (opened, gate):
        if verify:
            _verify(opened, policy, since_head, as_json)
        elif publish:
            _publish(gate, as_json)
        elif keep is not None:
            _shorten(opened, gate, keep, as_json)
        else:
            _show(opened, wanted, newest, export, as_json)


def _show(vault: Vault, wanted: Filter, newest: int | None, export: str | None, as_json: bool) -> None:
    from hauberk.access.trail.ocsf import event
    from hauberk.access.trail.reading import lines

    found = lines(vault.database, wanted, newest=newest)
    if as_json:
        common.print_json({"lines": [{**one._asdict(), "hash": digest.hex()} for one, digest in found]})
        return
    for one, digest in found:
        if export is not None:
            row = event(one) if export == "ocsf" else {**one._asdict(), "hash": digest.hex()}
            click.echo(json.dumps(row, ensure_ascii=False))
            continue
        on = " ".join(part for part in (one.model, one.version) if part)
        answer = "allowed" if one.allowed else "refused"
        parts = (str(one.number), at(one.time_ms), one.who or "(nobody)", one.how, one.source or "here", answer,
                 one.action, on, f"({one.why})", one.detail)  # fmt: skip
        click.echo("  ".join(part for part in parts if part))


def _verify(vault: Vault, policy: Path | None, since_head: Path | None, as_json: bool) -> None:
    from hauberk.access import check_trail
    from hauberk.core.files import read_bytes
    from hauberk.ledger.policy import Policy

    older = None if since_head is None else read_bytes(since_head, what="checkpoint")
    if policy is None:
        common.say("note: believing the ledger's key that the vault names; --policy says whom you believe")
    found = check_trail(vault, None if policy is None else Policy.load(policy), older)
    waiting = found.last - found.covered
    if as_json:
        common.print_json({"ok": True, **vars(found), "not_covered": waiting})
        return
    removed = f", {found.first - 1} older ones were removed by somebody who may" if found.first > 1 else ""
    click.echo(f"{found.last - found.first + 1} lines, unchanged and in order{removed}")
    click.echo(
        f"the ledger covers those up to {found.covered} in {found.batches} batches; {waiting} wait for it"
    )


def _publish(gate: AccessGate, as_json: bool) -> None:
    publisher = gate.access.publisher
    count = publisher.publish() if publisher else 0
    if as_json:
        common.print_json({"lines": count})
    else:
        click.echo(f"the ledger covers {count} more lines")


def _shorten(vault: Vault, gate: AccessGate, keep: str, as_json: bool) -> None:
    from datetime import timedelta

    from hauberk.access.trail import retention

    if gate.access.publisher is not None:
        gate.access.publisher.publish()
    last = retention.removable(vault.database, vault.clock() - (span(keep) or timedelta()))
    gone = 0
    if last:
        gate.check("vault.admin", detail=retention.reason(last))
        gone = retention.remove(vault.database, last)
    if as_json:
        common.print_json({"removed": gone, "last": last})
    else:
        click.echo(f"{gone} lines removed{f', up to number {last}' if gone else ''}")
