"""What the commands about vaults share: which vault, and who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hauberk.cli.callers import admitted, caller_options

if TYPE_CHECKING:
    from hauberk.vault import Vault
    from hauberk.vault.registry import Version

_Command = TypeVar("_Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
vault_option = click.option(
    "--vault", "where", type=PATH, default=Path("vault"), envvar="HAUBERK_VAULT", metavar="DIR",
    help="The vault's folder [default: $HAUBERK_VAULT, else ./vault].",
)  # fmt: skip
version_argument = click.argument("version", metavar="NAME@VERSION")


def vault_options(command: _Command) -> _Command:
    """``--vault``, ``--as`` and ``--api-key-file``."""
    return vault_option(caller_options(command))


@contextmanager
def opened(where: Path, as_name: str | None, api_key_file: Path | None) -> Iterator[Vault]:
    """The vault, with the gate of whoever calls.

    Raises:
        AccessDenied: he says not who he is, or his key is not valid.
    """
    from hauberk.vault import open_vault

    with open_vault(where) as vault, admitted(vault, as_name, api_key_file) as gate:
        vault.gate = gate
        yield vault


def day(at_ms: int) -> str:
    """A time as people read it, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def version_json(version: Version) -> dict[str, Any]:
    """A version as the commands print it."""
    revoked = version.revoked
    return {
        "name": version.model,
        "version": version.number,
        "kind": version.kind,
        "digest": version.digest,
        "model": version.subject,
        "size_bytes": version.size_bytes,
        "aliases": list(version.aliases),
        "signer": version.signer,
        "created_ms": version.created_ms,
        "created_by": version.created_by,
        "entry": version.entry,
        "revoked": None if revoked is None else vars(revoked),
    }


def version_line(version: Version) -> str:
    """A version in one line."""
    called = f" [{', '.join(version.aliases)}]" if version.aliases else ""
    sealed = ", sealed" if version.kind == "sealed" else ""
    revoked = f"  REVOKED: {version.revoked.reason}" if version.revoked else ""
    size = f"{version.size_bytes / 1e6:.2f} MB{sealed}"
    return f"{str(version) + called:32}  {day(version.created_ms)}  {version.created_by:12}  {size}{revoked}"
