"""How many old backups are kept."""

from __future__ import annotations

from dataclasses import dataclass, fields

from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count


@dataclass(frozen=True)
class Retention:
    """Keep the newest of each of the last so many hours, days, weeks, months and years in which there was one.

    Args:
        last: besides, so many of the newest.

    Raises:
        ConfigError: nothing would be kept, or a number that is none.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    def __post_init__(self) -> None:
        for one in fields(self):
            require_count(one.name, getattr(self, one.name), "retention", least=0)
        if not self.options:
            raise ConfigError(
                "this retention keeps nothing", hint="--keep-daily 7 --keep-weekly 5 --keep-monthly 12"
            )

    @property
    def options(self) -> list[str]:
        """As restic takes them, and as our own command line does."""
        kept = [(one.name, getattr(self, one.name)) for one in fields(self)]
        return [text for name, count in kept if count for text in (f"--keep-{name}", str(count))]
