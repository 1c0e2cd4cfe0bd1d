"""What the commands about ledgers share: whose heads are believed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.ledger.policy import Policy

PATH = click.Path(path_type=Path)
policy_option = click.option(
    "--policy", type=PATH, default=None, metavar="POLICY",
    help="Whom to believe [with --ledger DIR: the one there].",
)  # fmt: skip


def policy_of(ledger: str | None, policy: Path | None) -> Policy:
    """The policy that was named, or the one that lies in the ledger's folder.

    Raises:
        ConfigError: neither.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.ledger.opening import POLICY
    from hauberk.ledger.policy import Policy

    if policy is not None:
        return Policy.load(policy)
    own = Path(ledger or "") / POLICY
    if ledger is None or "://" in ledger or not own.is_file():
        raise ConfigError("say whose heads are believed", hint="--policy FILE; hauberk ledger init writes one")
    common.say(f"note: believing the log's own policy, {own}; --policy names yours")
    return Policy.load(own)


def is_folder(ledger: str) -> bool:
    """Whether files can be kept beside it."""
    return "://" not in ledger
