"""What the console's pages remember between requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from hauberk.serving.console.backups import RECORDS, Backups
from hauberk.serving.console.history import History
from hauberk.serving.console.shelf import Shelf
from hauberk.serving.figures import Sample
from hauberk.serving.metrics import Metrics
from hauberk.serving.rack import Rack
from hauberk.vault.backup.restic import Repository
from hauberk.vault.place import Vault


@dataclass(frozen=True)
class Kept:
    """Args:
    history: of the figures of all workers.
    backups: where they are, as far as the server was told.
    shelf: evidence that was read.
    """

    history: History
    backups: Backups
    shelf: Shelf = field(default_factory=Shelf)

    @classmethod
    def of(cls, vault: Vault, metrics: Metrics, repository: Repository | None = None) -> Kept:
        """Nothing yet."""
        return cls(History(metrics), Backups(repository, vault.folder / RECORDS))

    def served(self, rack: Rack) -> dict[tuple[str, str], int]:
        """How many processes serve a version, by name and version; this one's by its own rack."""
        own = {
            (name, version): 1
            for name, versions in rack.models().items()
            for version, one in versions.items()
            if one.revoked is None
        }
        told = served(self.history.newest)
        return {name: max(own.get(name, 0), told.get(name, 0)) for name in own.keys() | told.keys()}


def served(sample: Sample | None) -> dict[tuple[str, str], int]:
    """How many processes serve a version, by name and version."""
    if sample is None:
        return {}
    found = {}
    for key, value in sample.values.get("hauberk_model_served", {}).items():
        labels = dict(key)
        if value > 0:
            found[labels["model"], labels["version"]] = int(value)
    return found
