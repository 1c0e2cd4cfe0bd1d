from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.access.options import at, entered, span, vault_options


@click.group(
    "key", epilog="Example: hauberk access key new nightly --expires 90d --scope 'model.predict:face-*'"
)
def command() -> None:
    """API keys. A key is shown once, when it is made; the vault keeps only its SHA-256."""


@command.command("new", epilog="Example: hauberk access key new ada --expires 90d")
@click.argument("name")
@click.option("--expires", default=None, metavar="SPAN", help="Such as 90d or 12h [default: never].")
@click.option("--scope", "scopes", multiple=True, metavar="ACTION[:PATTERN]",
              help="What the key is for; repeatable [default: all that NAME may].")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), default=None, metavar="FILE",
              help="Write it there (mode 600) instead of showing it.")  # fmt: skip
@vault_options
@common.json_option
def new(
    name: str,
    expires: str | None,
    scopes: tuple[str, ...],
    out: Path | None,
    vault: Path,
    as_name: str | None,
    api_key_file: Path | None,
    as_json: bool,
) -> None:
    """Make a key for NAME. It can do what NAME may, and no more than its scopes say."""
    from hauberk.access import key_store
    from hauberk.access.words import Rule

    _refuse_overwrite(out)
    rules, lifetime = [Rule.parse("allow", one) for one in scopes], span(expires)
    with entered(vault, as_name, api_key_file, "access.manage", f"make a key for {name}") as (opened, _):
        made = key_store.new(opened.database, name, scopes=rules, lifetime=lifetime, clock=opened.clock)
    _show(made.id, made.text, name, out, as_json)


@command.command("rotate", epilog="Example: hauberk access key rotate 0Ab3dE5fG7hI --overlap 7d")
@click.argument("key_id", metavar="ID")
@click.option(
    "--overlap", default="24h", show_default=True, metavar="SPAN", help="How long the old key stays good."
)
@click.option(
    "--expires", default=None, metavar="SPAN", help="Of the new key [default: as long as the old one had]."
)
@click.option("--out", type=click.Path(path_type=Path), default=None, metavar="FILE",
              help="Write it there (mode 600) instead of showing it.")  # fmt: skip
@vault_options
@common.json_option
def rotate(
    key_id: str,
    overlap: str,
    expires: str | None,
    out: Path | None,
    vault: Path,
    as_name: str | None,
    api_key_file: Path | None,
    as_json: bool,
) -> None:
    """Make a successor with the same scopes, and let the old key end after a while."""
    from datetime import timedelta

    from hauberk.access import key_store

    _refuse_overwrite(out)
    spans = span(overlap) or timedelta(), span(expires)
    with entered(vault, as_name, api_key_file, "access.manage", f"rotate key {_id(key_id)}") as (opened, _):
        made = key_store.rotate(
            opened.database, key_id, overlap=spans[0], lifetime=spans[1], clock=opened.clock
        )
        with opened.database.read() as connection:
            owner = key_store.require(connection, made.id).identity
    _show(made.id, made.text, owner, out, as_json)


@command.command("revoke")
@click.argument("key_id", metavar="ID")
@vault_options
@common.json_option
def revoke(key_id: str, vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """Let nobody in with this key, at once and in every process."""
    from hauberk.access import key_store

    with entered(vault, as_name, api_key_file, "access.manage", f"revoke key {_id(key_id)}") as (opened, _):
        gone = key_store.revoke(opened.database, key_id, clock=opened.clock)
    if as_json:
        common.print_json({"id": gone.id, "identity": gone.identity, "revoked": at(gone.revoked_ms)})
    else:
        click.echo(f"key {gone.id} of {gone.identity}: revoked")


@command.command("list")
@click.argument("name", required=False)
@vault_options
@common.json_option
def list_(name: str | None, vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """List all keys, or those of NAME, by the part that is no secret."""
    from hauberk.access import key_store

    with entered(vault, as_name, api_key_file, "access.view", "list keys") as (opened, _):
        found = key_store.listed(opened.database, name)
        present = opened.now_ms()
    rows = [
        {
            "id": one.id,
            "identity": one.identity,
            "scopes": [str(rule) for rule in one.scopes],
            "created": at(one.created_ms),
            "expires": at(one.expires_ms),
            "revoked": at(one.revoked_ms),
            "successor": one.successor,
            "good": one.refusal(present) is None,
        }
        for one in found
    ]
    if as_json:
        common.print_json({"keys": rows})
        return
    for key, row in zip(found, rows, strict=True):
        end = f"until {row['expires']}" if row["expires"] else "no end"
        scopes = " ".join(map(str, key.scopes)) or "all that its owner may"
        click.echo(f"{key.id}  {key.identity}  {key.refusal(present) or end}  {scopes}")


def _id(text: str) -> str:
    """An identifier; a key that is given whole by mistake must not come into the trail."""
    from hauberk.access.keys import is_id
    from hauberk.core.errors import ConfigError

    if not is_id(text):
        raise ConfigError(
            "that is no key's id, which has 12 characters", hint="hauberk access key list shows them"
        )
    return text


def _refuse_overwrite(out: Path | None) -> None:
    from hauberk.core.errors import ConfigError

    if out is not None and out.exists():
        raise ConfigError(f"{out} exists already", hint="choose another --out")


def _show(id_: str, text: str, owner: str, out: Path | None, as_json: bool) -> None:
    from hauberk.core.files import write_atomic

    if out is not None:
        write_atomic(out, f"{text}\n".encode(), mode=0o600)
    if as_json:
        common.print_json({"id": id_, "identity": owner, **({"file": str(out)} if out else {"key": text})})
        return
    if out is not None:
        click.echo(f"{out}: key {id_} of {owner}")
        return
    click.echo(text)
    common.say(f"note: key {id_} of {owner}; it is shown this once")
