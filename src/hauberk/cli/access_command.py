from __future__ import annotations

import click

from hauberk.cli.lazy import LazyGroup

_COMMANDS = {
    "user": "people and services: add, list, show, disable, enable, password, factor, link",
    "key": "API keys: new, rotate, revoke, list",
    "role": "roles: list, show, set",
    "grant": "grant a role or an action to somebody, or deny it",
    "revoke": "take a grant or a denial back",
    "check": "say whether somebody may do something",
    "explain": "say which rule allows or refuses it",
    "log": "show the audit trail, export, check and shorten it",
}


@click.group(
    "access",
    cls=LazyGroup,
    commands_in="hauberk.cli.access",
    one_lines=_COMMANDS,
    epilog="Example: hauberk access user add ada; hauberk access grant trainer --to ada --on 'face-*'",
)
def command() -> None:
    """Say who may enter a vault and what he may do there, and see who did.

    A vault without identities belongs to whoever may read its folder: he is the owner and may do everything.
    Once there are identities, everybody says who he is with an API key, and the owner with --as owner.
    """
