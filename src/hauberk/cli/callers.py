"""Who calls: what the commands about vaults share.

An API key says it, from a file or $HAUBERK_API_KEY. As long as a vault has no identities, and whenever ``--as
owner`` says so, it is the owner: whoever the rights of files let read the vault's folder and its key. Nothing
that is written in a database could keep him out, so he is let in, and the trail says that he was there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.access import Access, AccessGate, Caller
    from hauberk.vault import Vault

_Command = TypeVar("_Command", bound=Callable[..., Any])
KEY_VARIABLE = "HAUBERK_API_KEY"


api_key_option = click.option(
    "--api-key-file", type=click.Path(path_type=Path), default=None, metavar="FILE",
    help=f"Your API key [default: ${KEY_VARIABLE}].",
)  # fmt: skip


def caller_options(command: _Command) -> _Command:
    """``--as`` and ``--api-key-file``."""
    command = api_key_option(command)
    return click.option(
        "--as",
        "as_name",
        default=None,
        metavar="NAME",
        help="Who you are; 'owner' by the folder's file rights.",
    )(command)


@contextmanager
def admitted(vault: Vault, as_name: str | None, api_key_file: Path | None) -> Iterator[AccessGate]:
    """The vault's gate for whoever calls.

    Raises:
        AccessDenied: he says not who he is, or his key is not valid or another's.
        ConfigError: he says who he is without a key, or others may read the key's file.
    """
    from hauberk.access import AccessGate, open_access

    access = open_access(vault)
    try:
        yield AccessGate(access, _caller(access, as_name, api_key_file))
    finally:
        if access.publisher is not None and access.publisher.failure is not None:
            failure = access.publisher.failure
            common.say(f"warning: the trail's newest lines did not reach the ledger yet: {failure}")


def _caller(access: Access, as_name: str | None, api_key_file: Path | None) -> Caller:
    from hauberk.access.identities import any_identity
    from hauberk.access.words import OWNER
    from hauberk.core.errors import AccessDenied, ConfigError

    if as_name == OWNER:
        return access.owner()
    key = api_key(api_key_file)
    if key is not None:
        caller = access.by_key(key)
        if as_name not in (None, caller.name):
            raise AccessDenied(f"the API key is not one of '{as_name}'")
        return caller
    if as_name is not None:
        raise ConfigError(
            f"'{as_name}' has to show an API key", hint=f"--api-key-file FILE, or the variable {KEY_VARIABLE}"
        )
    if any_identity(access.database):
        raise AccessDenied(
            "say who you are: this vault has identities",
            hint=f"--api-key-file FILE or {KEY_VARIABLE}; whoever owns the folder: --as owner",
        )
    return access.owner()


def api_key(file: Path | None) -> str | None:
    """The key in a file or in the environment; None where neither says one.

    Raises:
        ConfigError: others may read the file.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import read_bytes

    if file is None:
        return os.environ.get(KEY_VARIABLE) or None
    text = read_bytes(file, what="API key")
    if file.stat().st_mode & 0o077:
        raise ConfigError(f"{file}: others may read this API key", hint=f"chmod 600 {file}")
    return text.decode("ascii", errors="replace").strip()
