from __future__ import annotations

import sys
from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.access.options import entered, vault_options


@click.group("user", epilog="Example: hauberk access user add ada; hauberk access user list")
def command() -> None:
    """People and services. An identity is never removed, since the trail names it: disable it."""


@command.command("add", epilog="Example: hauberk access user add nightly --kind service")
@click.argument("name")
@click.option("--kind", type=click.Choice(["person", "service"]), default="person", show_default=True,
              help="Passwords are for people alone.")  # fmt: skip
@vault_options
@common.json_option
def add(
    name: str, kind: str, vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool
) -> None:
    """Add an identity, which may do nothing until it is granted something."""
    from hauberk.access import identities

    with entered(vault, as_name, api_key_file, "access.manage", f"add {kind} {name}") as (opened, _):
        made = identities.add(opened.database, name, kind)  # type: ignore[arg-type]  # click has looked
    _done(
        as_json, {"name": made.name, "kind": made.kind}, f"{made.name}: a {made.kind}, who may do nothing yet"
    )


@command.command("list")
@vault_options
@common.json_option
def list_(vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """List all identities."""
    from hauberk.access import identities

    with entered(vault, as_name, api_key_file, "access.view", "list identities") as (opened, _):
        found = identities.everybody(opened.database)
    if as_json:
        rows = [{"name": one.name, "kind": one.kind, "disabled": one.disabled} for one in found]
        common.print_json({"identities": rows})
        return
    for one in found:
        click.echo(f"{one.name}  {one.kind}{'  disabled' if one.disabled else ''}")


@command.command("show")
@click.argument("name")
@vault_options
@common.json_option
def show(name: str, vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """Show what an identity was granted and denied, and how it is recognised."""
    from hauberk.access import granting, identities, key_store

    with entered(vault, as_name, api_key_file, "access.view", f"show {name}") as (opened, _):
        found = identities.one(opened.database, name)
        grants = [one for one in granting.all_grants(opened.database) if one.identity == name]
        keys = key_store.listed(opened.database, name)
    if as_json:
        common.print_json(
            {
                "name": found.name,
                "kind": found.kind,
                "disabled": found.disabled,
                "links": [{"authority": authority, "subject": subject} for authority, subject in found.links],
                "grants": [
                    {"id": one.id, "effect": one.effect, "what": one.what, "on": one.pattern} for one in grants
                ],
                "keys": [one.id for one in keys],
            }
        )
        return
    click.echo(f"{found.name}: a {found.kind}{', disabled' if found.disabled else ''}")
    for one in grants:
        click.echo(f"grant {one.id}: {'deny' if one.effect == 'deny' else 'allow'} {one.what} on {one.pattern}")
    for key in keys:
        click.echo(f"key {key.id}")
    for authority, subject in found.links:
        click.echo(f"known to {authority} as {subject}")


@command.command("disable")
@click.argument("name")
@vault_options
@common.json_option
def disable(name: str, vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """Let nobody in under this name, at once and in every process."""
    _set(True, name, vault, as_name, api_key_file, as_json)


@command.command("enable")
@click.argument("name")
@vault_options
@common.json_option
def enable(name: str, vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """Let it in again, with the keys and grants that it had."""
    _set(False, name, vault, as_name, api_key_file, as_json)


@command.command("password")
@click.argument("name")
@vault_options
@common.json_option
def password(name: str, vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """Set a person's password for the console; it is asked for, or read from standard input."""
    given = click.prompt("Password", hide_input=True, confirmation_prompt=sys.stdin.isatty(), err=True)
    with entered(vault, as_name, api_key_file, "access.manage", f"set the password of {name}") as (_, gate):
        gate.access.accounts.set_password(name, given)
    _done(as_json, {"name": name}, f"{name}: has a password")


@command.command("factor")
@click.argument("name")
@click.option("--drop", is_flag=True, help="Ask for no second factor any more.")
@vault_options
@common.json_option
def factor(
    name: str, drop: bool, vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool
) -> None:
    """Set up a second factor: an address for an authenticator app, and recovery codes. Both are shown once."""
    what = f"{'drop' if drop else 'set up'} the second factor of {name}"
    with entered(vault, as_name, api_key_file, "access.manage", what) as (_, gate):
        accounts = gate.access.accounts
        if drop:
            accounts.drop_factor(name)
            _done(as_json, {"name": name, "factor": False}, f"{name}: a password is enough")
            return
        made = accounts.enrol(name)
    text = "\n".join([made.address, "recovery codes, each good once:", *made.recovery])
    _done(as_json, {"name": name, "address": made.address, "recovery": list(made.recovery)}, text)


@command.command("link", epilog="Example: hauberk access user link ada https://login.example.com 8f3a…")
@click.argument("name")
@click.argument("authority")
@click.argument("subject")
@click.option("--remove", is_flag=True, help="Take the link away.")
@vault_options
@common.json_option
def link(
    name: str,
    authority: str,
    subject: str,
    remove: bool,
    vault: Path,
    as_name: str | None,
    api_key_file: Path | None,
    as_json: bool,
) -> None:
    """Let an authority's subject in as NAME: a token issuer's address with a subject there, or the word
    'certificate' with a name in it, such as DNS:host.example.com."""
    from hauberk.access import identities
    from hauberk.core.errors import ConfigError

    what = f"{'unlink' if remove else 'link'} {name}, {authority}, {subject}"
    with entered(vault, as_name, api_key_file, "access.manage", what) as (opened, _):
        if not remove:
            identities.link(opened.database, name, authority, subject)
        elif not identities.unlink(opened.database, name, authority, subject):
            raise ConfigError(f"'{name}' has no such link")
    said = "is no longer" if remove else "is"
    _done(as_json, {"name": name, "linked": not remove}, f"{subject} of {authority} {said} {name}")


def _set(
    disabled: bool, name: str, vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool
) -> None:
    from hauberk.access import identities

    word = "disable" if disabled else "enable"
    with entered(vault, as_name, api_key_file, "access.manage", f"{word} {name}") as (opened, _):
        identities.set_disabled(opened.database, name, disabled)
    _done(as_json, {"name": name, "disabled": disabled}, f"{name}: {word}d")


def _done(as_json: bool, document: dict[str, object], text: str) -> None:
    if as_json:
        common.print_json(document)
    else:
        click.echo(text)
