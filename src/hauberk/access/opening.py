"""Access to an open vault, and the trail of it checked."""

from __future__ import annotations

import os

from hauberk.access.entering import Access
from hauberk.access.throttle import Throttle
from hauberk.access.trail.checking import Checked, check
from hauberk.crypto.secret import Random
from hauberk.ledger.policy import Policy
from hauberk.vault.place import Vault

_START = b"access trail"


def open_access(vault: Vault, *, throttle: Throttle | None = None, random: Random = os.urandom) -> Access:
    """Who may do what in this vault; it ends with the vault."""
    return Access(
        vault.database,
        vault.keys,
        _start(vault),
        ledger=lambda: vault.ledger,
        throttle=throttle,
        clock=vault.clock,
        random=random,
    )


def check_trail(vault: Vault, policy: Policy | None = None, since: bytes | None = None) -> Checked:
    """Compare the vault's trail with its ledger.

    Args:
        policy: whose heads of the ledger are believed [default: the key that ``vault.toml`` names].
        since: an older head of the ledger that somebody kept.

    Raises:
        IntegrityError: one of them was changed.
    """
    log = vault.ledger
    return check(vault.database, _start(vault), log, policy or Policy.of_log(log.verifier), since)


def _start(vault: Vault) -> bytes:
    return bytes(vault.keys.derive(_START))
