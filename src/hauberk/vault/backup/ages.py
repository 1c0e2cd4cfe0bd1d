"""How old the newest backup may be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from hauberk.core.clock import Clock, now
from hauberk.core.errors import PolicyViolation
from hauberk.vault.backup.restic import Snapshot


def check_age(snapshots: Sequence[Snapshot], hours: int, where: str, *, clock: Clock = now) -> None:
    """Raises ``PolicyViolation`` where there is no backup, or the newest of a vault is older than ``hours``."""
    newest = {one.vault: one.time for one in snapshots}  # oldest first
    if not newest:
        raise PolicyViolation(f"{where} holds no backup of a vault")
    for vault, time in newest.items():
        age = clock() - datetime.fromisoformat(time)
        if age > timedelta(hours=hours):
            raise PolicyViolation(
                f"the newest backup of vault {vault} in {where} is {age.total_seconds() / 3600:.0f} hours old, "
                f"allowed are {hours}",
                hint="see why the schedule did not run: systemctl status hauberk-backup.service",
            )
