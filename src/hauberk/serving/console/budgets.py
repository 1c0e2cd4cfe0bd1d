"""Privacy budgets: what may still be asked of data about people, of each data set and by each person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hauberk.privacy.queries.overview import Budget, Share, budget_of
from hauberk.privacy.queries.store import BudgetStore
from hauberk.serving.console.moments import milliseconds
from hauberk.serving.console.pages import Asked, Concern, Page
from hauberk.serving.console.viewer import Viewer
from hauberk.vault.budgets import MANAGE
from hauberk.vault.place import Vault

NEARLY = 0.9  # share of a budget from which on it needs attention


@dataclass(frozen=True)
class Amount:
    """What was spent of a budget, and is left, in the unit that its data set counts.

    Args:
        budget: None where somebody shares the whole with all others.
    """

    spent: float
    left: float
    budget: float | None

    @property
    def share(self) -> float:
        """Spent, from 0 to 1."""
        return min(1.0, self.spent / self.budget) if self.budget else 0.0

    @property
    def nearly(self) -> bool:
        """Whether little is left."""
        return self.budget is not None and self.share >= NEARLY


@dataclass(frozen=True)
class Question:
    """A question that was paid for.

    Args:
        price: in the data set's unit.
        answered: False where the machine failed between the price and the answer.
    """

    asker: str
    text: str
    price: float
    asked_ms: int | None
    answered: bool


@dataclass(frozen=True)
class DataSet:
    """One data set.

    Args:
        unit: whose privacy is protected, in words.
        counts: what is counted, ``epsilon`` or ``rho``.
        epsilon: what was promised, at ``delta``.
        people: all who asked or have a share, by name.
        last: the newest questions first.
    """

    name: str
    unit: str
    counts: str
    epsilon: float
    delta: float
    whole: Amount
    people: tuple[tuple[str, Amount], ...]
    last: tuple[Question, ...]


@dataclass(frozen=True)
class Budgets:
    """All data sets with a budget, by name."""

    datasets: tuple[DataSet, ...]


def budgets(vault: Vault) -> Budgets:
    """All data sets whose budgets stand in a vault. Whether its caller may see them was decided before.

    Raises:
        EnvironmentFailure: they cannot be read.
    """
    store = BudgetStore(vault.database, clock=vault.clock)
    return Budgets(tuple(data_set(budget_of(store, name)) for name in store.registered()))


def data_set(one: Budget) -> DataSet:
    """One data set's budget as the page shows it."""
    counts = one.accounting.symbol
    return DataSet(
        name=one.dataset,
        unit=one.unit,
        counts=counts,
        epsilon=one.accounting.budget,
        delta=one.accounting.delta,
        whole=Amount(one.spent[counts], one.left[counts], one.budget[counts]),
        people=tuple((each.name, _share(each, counts)) for each in one.people),
        last=tuple(
            Question(each.asker, each.question, each.price[counts], milliseconds(each.asked), each.answered)
            for each in one.last
        ),
    )


def _share(one: Share, counts: str) -> Amount:
    return Amount(one.spent[counts], one.left[counts], None if one.budget is None else one.budget[counts])


def _view(viewer: Viewer, _asked: Asked) -> Budgets:
    return budgets(viewer.vault)


def _concerns(viewer: Viewer) -> Sequence[Concern]:
    return [
        Concern("warn", "budgets.concern.nearly", "/budgets", {"dataset": one.name})
        for one in budgets(viewer.vault).datasets
        if one.whole.nearly
    ]


PAGES = (Page(name="budgets", path="/budgets", view=_view, action=MANAGE, concerns=_concerns),)
