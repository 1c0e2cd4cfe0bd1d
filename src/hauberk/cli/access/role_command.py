from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common
from hauberk.cli.access.options import entered, vault_options

if TYPE_CHECKING:
    from hauberk.access.words import Rule


@click.group(
    "role", epilog="Example: hauberk access role set reviewer --allow model.view --allow model.evaluate"
)
def command() -> None:
    """Roles: built-in ones, and your own."""


@command.command("list")
@vault_options
@common.json_option
def list_(vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """List all roles."""
    from hauberk.access import granting
    from hauberk.access.roles import BUILT_IN

    with entered(vault, as_name, api_key_file, "access.view", "list roles") as (opened, _):
        found = granting.all_roles(opened.database)
    if as_json:
        rows = [
            {"name": name, "built_in": name in BUILT_IN, "rules": len(rules)} for name, rules in found.items()
        ]
        common.print_json({"roles": rows})
        return
    for name in found:
        click.echo(f"{name}{'' if name in BUILT_IN else '  your own'}")


@command.command("show")
@click.argument("name")
@vault_options
@common.json_option
def show(name: str, vault: Path, as_name: str | None, api_key_file: Path | None, as_json: bool) -> None:
    """Show the rules of a role."""
    from hauberk.access import granting
    from hauberk.core.errors import check_known

    with entered(vault, as_name, api_key_file, "access.view", f"show role {name}") as (opened, _):
        found = granting.all_roles(opened.database)
    check_known([name], found, what="role", where="the vault")
    _print(name, found[name], as_json)


@command.command(
    "set", epilog="Example: hauberk access role set tester --allow 'model.*:test-*' --deny model.revoke"
)
@click.argument("name")
@click.option("--allow", multiple=True, metavar="ACTION[:PATTERN]", help="A permission; repeatable.")
@click.option("--deny", multiple=True, metavar="ACTION[:PATTERN]", help="A prohibition; repeatable. Deny wins.")
@vault_options
@common.json_option
def set_(
    name: str,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    vault: Path,
    as_name: str | None,
    api_key_file: Path | None,
    as_json: bool,
) -> None:
    """Make a role of your own, or replace all its rules. Whoever has it is bound by the new rules at once.

    An ACTION is one such as model.pull, all of a family (model.*), or *.
    """
    from hauberk.access import granting
    from hauberk.access.words import Rule

    rules = [*(Rule.parse("allow", one) for one in allow), *(Rule.parse("deny", one) for one in deny)]
    with entered(vault, as_name, api_key_file, "access.manage", f"set role {name}") as (opened, _):
        granting.set_role(opened.database, name, rules)
    _print(name, rules, as_json)


def _print(name: str, rules: list[Rule] | tuple[Rule, ...], as_json: bool) -> None:
    if as_json:
        rows = [{"effect": one.effect, "action": one.action, "on": one.pattern} for one in rules]
        common.print_json({"name": name, "rules": rows})
        return
    for number, one in enumerate(rules, 1):
        click.echo(f"{name} {number}: {one.effect} {one.action} on {one.pattern}")
