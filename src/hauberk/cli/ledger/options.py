"""What the commands about ledgers share: whose heads are believed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.ledger.policy import Policy
    from hauberk.ledger.published import PublishedLog
    from hauberk.ledger.store.log import Log

PATH = click.Path(path_type=Path)
policy_option = click.option(
    "--policy", type=PATH, default=None, metavar="POLICY", help="Whom to believe [with --ledger: its own key]."
)


def policy_of(log: Log | PublishedLog | None, policy: Path | None) -> Policy:
    """The policy that was named, or one that believes the key which stands in the ledger.

    Raises:
        ConfigError: neither; published tiles hold no key.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.ledger.policy import Policy
    from hauberk.ledger.store.log import Log

    if policy is not None:
        return Policy.load(policy)
    if isinstance(log, Log):
        common.say("note: believing the key that stands in the ledger itself; --policy says whom you believe")
        return Policy.of_log(log.verifier)
    what = f"head of {log.where}" if log else "head"
    raise ConfigError(f"say whose {what} is believed with --policy")
