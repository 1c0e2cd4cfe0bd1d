"""Models: which versions there are, how robust they are, what they are called now, and who serves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hauberk.core.errors import DataError
from hauberk.reports.charts import LineChart, Series
from hauberk.serving.console.shelf import Known, Measured, Shelf
from hauberk.serving.console.wishes import Wish, wishes
from hauberk.serving.deploying import SERVED
from hauberk.vault import registry
from hauberk.vault.listing import Event, happened
from hauberk.vault.names import PRODUCTION
from hauberk.vault.place import Vault
from hauberk.vault.registry import DEPLOYMENT, Version

May = Callable[[str, str, tuple[str, ...]], bool]
"""Whether the viewer may: action, model, and all names of the version."""

Served = Mapping[tuple[str, str], int]
"""How many processes of this server serve a version, by name and version."""


@dataclass(frozen=True)
class Row:
    """One model in the list.

    Args:
        production: the version of that name, or None.
        shown: the version whose figures stand in the list: in production, or else the newest.
        waiting: requests that others have yet to agree to.
        served: processes that serve it.
    """

    name: str
    versions: int
    production: int | None
    shown: Version
    known: Known
    revoked: int
    waiting: int
    served: int


@dataclass(frozen=True)
class Entry:
    """One version in a model's table.

    Args:
        served: processes of this server that serve it.
        servers: the machines whose last word to the ledger was that they serve it.
    """

    version: Version
    known: Known
    served: int
    servers: tuple[str, ...]
    wishes: tuple[Wish, ...]


@dataclass(frozen=True)
class ModelView:
    """One model; versions and events with the newest first."""

    name: str
    entries: tuple[Entry, ...]
    events: tuple[Event, ...]

    @property
    def measured(self) -> list[tuple[int, Measured]]:
        """Each version's newest evaluation, by number."""
        found = [(one.version.number, one.known.newest) for one in reversed(self.entries)]
        return [(number, measured) for number, measured in found if measured is not None]

    @property
    def wishes(self) -> list[Wish]:
        return [wish for one in self.entries for wish in one.wishes]


def models(vault: Vault, shelf: Shelf, may: May, served: Served, viewer: str) -> tuple[Row, ...]:
    """All models of which the viewer may see a version, by name."""
    by_name: dict[str, list[Version]] = {}
    for one in seen(vault, may):
        by_name.setdefault(one.model, []).append(one)
    waiting = [one.model for one in wishes(vault, viewer) if one.lacking]
    return tuple(
        _row(vault, shelf, versions, waiting.count(name), served) for name, versions in sorted(by_name.items())
    )


def model(vault: Vault, shelf: Shelf, name: str, may: May, served: Served, viewer: str) -> ModelView:
    """One model.

    Raises:
        DataError: there is none, or none that the viewer may see.
    """
    versions = seen(vault, may, name)
    if not versions:
        raise DataError(f"there is no model '{name[:100]}'")
    waiting = [one for one in wishes(vault, viewer) if one.lacking]
    numbers = {one.number for one in versions}
    events = [one for one in reversed(happened(vault, name)) if one.number in numbers]
    told = servers(events)
    entries = [
        Entry(
            version=one,
            known=shelf.of(vault, one),
            served=served.get((name, str(one.number)), 0),
            servers=tuple(sorted(server for server, number in told.items() if number == one.number)),
            wishes=tuple(wish for wish in waiting if (wish.model, wish.number) == (name, one.number)),
        )
        for one in reversed(versions)
    ]
    return ModelView(name, tuple(entries), tuple(events))


def servers(events: Sequence[Event]) -> dict[str, int]:
    """The version that each machine told last that it serves; events with the newest first."""
    found: dict[str, int] = {}
    for one in events:
        if one.what == DEPLOYMENT and one.detail.startswith(SERVED):
            found.setdefault(one.detail.removeprefix(SERVED), one.number)
    return found


def seen(vault: Vault, may: May, model: str | None = None) -> list[Version]:
    """The versions of a model, or of all, that the viewer may see, by name and number."""
    with vault.database.read() as connection:
        found = registry.versions(connection, model)
    return [one for one in found if may("model.view", one.model, one.names)]


def charts(measured: Sequence[tuple[int, Measured]], words: Callable[[str], str]) -> list[LineChart]:
    """Accuracy by version, one chart for each threat that was measured."""
    threats = dict.fromkeys(one.threat for _, one in measured)
    return [_chart([pair for pair in measured if pair[1].threat == one], one, words) for one in threats]


def _chart(found: Sequence[tuple[int, Measured]], threat: str, words: Callable[[str], str]) -> LineChart:
    return LineChart(
        title=f"{words('models.chart')} · {threat}",
        x_label=words("models.version"),
        y_label=words("models.accuracy"),
        series=[
            Series(words("models.clean"), 1, [(number, one.clean) for number, one in found]),
            Series(
                words("models.robust"),
                0,
                [(number, one.robust) for number, one in found],
                band=[(number, one.low, one.high) for number, one in found],
            ),
        ],
        y_top=1.0,
        y_text=lambda value: f"{100 * value:.0f} %",
        whole_x=True,
    )


def _row(vault: Vault, shelf: Shelf, versions: Sequence[Version], waiting: int, served: Served) -> Row:
    name = versions[0].model
    production = next((one for one in versions if PRODUCTION in one.aliases), None)
    shown = production or next((one for one in reversed(versions) if one.revoked is None), versions[-1])
    return Row(
        name=name,
        versions=len(versions),
        production=production.number if production else None,
        shown=shown,
        known=shelf.of(vault, shown),
        revoked=sum(one.revoked is not None for one in versions),
        waiting=waiting,
        served=max((count for (served_name, _), count in served.items() if served_name == name), default=0),
    )
