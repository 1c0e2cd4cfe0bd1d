"""Privacy budgets: what may still be asked of data about people, of each data set and by each person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import inspect, select

from hauberk.privacy.queries.accounting import DELTA_UNITS, UNITS, Accounting
from hauberk.privacy.queries.store import DATASETS, SPENDINGS, BudgetStore, Registration, Spent
from hauberk.vault.place import POSTGRES, Vault

NEARLY = 0.9  # share of a budget from which on it needs attention
_LAST = 10  # questions


@dataclass(frozen=True)
class Amount:
    """What was spent of a budget, in the unit that its data set counts.

    Args:
        budget: None where somebody shares the whole with all others.
    """

    spent: float
    budget: float | None

    @property
    def share(self) -> float:
        """Spent, from 0 to 1."""
        return min(1.0, self.spent / self.budget) if self.budget else 0.0

    @property
    def left(self) -> float | None:
        return None if self.budget is None else max(0.0, self.budget - self.spent)

    @property
    def nearly(self) -> bool:
        """Whether little is left."""
        return self.budget is not None and self.share >= NEARLY


@dataclass(frozen=True)
class PastQuestion:
    """A question that was paid for.

    Args:
        price: in the data set's unit.
        asked: RFC 3339.
        answered: False where the machine failed between the price and the answer.
    """

    asker: str
    question: str
    price: float
    asked: str
    answered: bool


@dataclass(frozen=True)
class Budget:
    """One data set.

    Args:
        unit: whose privacy is protected, in words.
        counts: what is counted, ``epsilon`` or ``rho``.
        delta: None where no delta can be spent.
        people: all who asked or have a share, by name.
        last: the newest questions first.
    """

    dataset: str
    unit: str
    counts: str
    accounting: Accounting
    whole: Amount
    delta: Amount | None
    people: tuple[tuple[str, Amount], ...]
    last: tuple[PastQuestion, ...]


def budgets(vault: Vault) -> tuple[Budget, ...]:
    """All data sets whose budgets stand in a vault, by name; none where none was ever given there.

    Raises:
        EnvironmentFailure: they cannot be read.
    """
    with vault.database.read() as connection:
        if not inspect(connection).has_table(DATASETS.name):
            return ()
    store = _store(vault)
    return tuple(
        budget_of(store.load(name), store.spent(name), _questions(vault, name)) for name in store.registered()
    )


def budget_of(one: Registration, spent: Spent, last: Sequence[PastQuestion]) -> Budget:
    """One data set's budget in figures."""
    delta = None
    if one.accounting.method == "pure" and one.delta_units:
        delta = Amount(spent.delta_units / DELTA_UNITS, one.delta_units / DELTA_UNITS)
    return Budget(
        dataset=one.name,
        unit=one.description.unit_text,
        counts=one.accounting.symbol,
        accounting=one.accounting,
        whole=Amount(spent.units / UNITS, one.budget_units / UNITS),
        delta=delta,
        people=_people(one.askers, spent.by),
        last=tuple(last),
    )


def _people(askers: Mapping[str, int], by: Mapping[str, int]) -> tuple[tuple[str, Amount], ...]:
    def amount(name: str) -> Amount:
        return Amount(by.get(name, 0) / UNITS, askers[name] / UNITS if name in askers else None)

    return tuple((name, amount(name)) for name in sorted({*askers, *by}))


def _questions(vault: Vault, name: str) -> list[PastQuestion]:
    table = SPENDINGS
    query = select(table).where(table.c.dataset == name).order_by(table.c.id.desc()).limit(_LAST)
    with vault.database.read() as connection:
        rows = connection.execute(query).all()
    return [
        PastQuestion(one.asker, one.question, one.units / UNITS, one.asked, one.answer is not None)
        for one in rows
    ]


def _store(vault: Vault) -> BudgetStore:
    text = vault.settings.database
    return BudgetStore(text if text.startswith(POSTGRES) else f"sqlite:///{vault.folder / text}")
