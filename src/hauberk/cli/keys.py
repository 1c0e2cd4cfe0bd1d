"""What the verbs about sealed models share: keys from files, passphrases from a file or the terminal."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.crypto.age import Identity, Reader, Recipient

_Command = TypeVar("_Command", bound=Callable[..., Any])


sealed_argument = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
mixed_option = click.option(
    "--mixed", is_flag=True, help="Allow X25519 beside hybrid keys: no safer than X25519."
)
record_option = common.record_option("FILE")


def identity_options(command: _Command) -> _Command:
    """``--identity``, ``--passphrase`` and ``--passphrase-file``: with what a file is opened."""
    command = passphrase_options(command)
    return click.option(
        "--identity", "identities", multiple=True, metavar="KEY", type=click.Path(path_type=Path),
        help="A key file that keygen or age-keygen made; repeatable.",
    )(command)  # fmt: skip


def passphrase_options(command: _Command) -> _Command:
    command = click.option(
        "--passphrase-file", metavar="FILE", type=click.Path(path_type=Path), default=None,
        help="The passphrase is this file's first line.",
    )(command)  # fmt: skip
    return click.option("--passphrase", is_flag=True, help="Ask for a passphrase.")(command)


def identities_of(paths: Sequence[Path], passphrase: bool, passphrase_file: Path | None) -> list[Identity]:
    """The identities that the options name.

    Raises:
        ConfigError: none at all.
        DataError: a file that holds none.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.crypto import age

    found: list[Identity] = []
    for path in paths:
        found += age.read_identities(path)
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            common.say(f"warning: others on this machine can read {path}; chmod 600 {path}")
    if passphrase or passphrase_file:
        found.append(_passphrase(passphrase, passphrase_file, confirm=False))
    if not found:
        raise ConfigError("nothing to open it with", hint="--identity KEY, or --passphrase")
    return found


def recipients_of(
    paths: Sequence[Path], passphrase: bool = False, passphrase_file: Path | None = None
) -> list[Recipient]:
    """The recipients that the options name; a file may hold several."""
    from hauberk.crypto import age

    found: list[Recipient] = [one for path in paths for one in age.read_recipients(path)]
    if passphrase or passphrase_file:
        found.append(_passphrase(passphrase, passphrase_file, confirm=True))
    return found


def _passphrase(ask: bool, path: Path | None, *, confirm: bool) -> Any:
    from hauberk.core.errors import ConfigError, DataError
    from hauberk.core.files import read_bytes
    from hauberk.crypto.age import Passphrase
    from hauberk.crypto.secret import Secret

    if ask and path:
        raise ConfigError("--passphrase and --passphrase-file are two ways to the same thing: choose one")
    if path is None:
        text = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
        return Passphrase(Secret(text.encode()))
    lines = read_bytes(path, what="file with a passphrase").splitlines()
    if not lines or not lines[0]:
        raise DataError(f"{path} holds no passphrase in its first line")
    return Passphrase(Secret(lines[0]))


def describe(reader: Reader) -> str:
    """One recipient in a line."""
    if reader.kind == "scrypt":
        return "a passphrase"
    kind = {"mlkem768x25519": "hybrid", "X25519": "x25519"}.get(reader.kind, reader.kind)
    return f"{kind} sha256:{reader.fingerprint[:16]}…" if reader.fingerprint else f"{kind} (not named)"
