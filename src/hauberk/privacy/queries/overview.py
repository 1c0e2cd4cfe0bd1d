"""What a steward reads of a budget: spent and left, in all and by person, and the newest questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hauberk.privacy.queries.accounting import DELTA_UNITS, UNITS, Accounting
from hauberk.privacy.queries.store import BudgetStore, Registration, Spending, Spent

LAST = 10  # questions


@dataclass(frozen=True)
class Share:
    """One person's part of a budget.

    Args:
        budget: what he may spend, or None where he shares the whole with all others.
        spent, left: what he spent, and what he can spend yet.

    Amounts are as the data set's accounting says them: ``{"epsilon": 0.5}``, or rho and its epsilon.
    """

    name: str
    budget: Mapping[str, float] | None
    spent: Mapping[str, float]
    left: Mapping[str, float]


@dataclass(frozen=True)
class PastQuestion:
    """A question that was paid for.

    Args:
        asked: the time, as RFC 3339 writes it in UTC.
        price: as amounts of a share, with delta where it cost some.
        answered: False where the machine failed between the price and the answer.
    """

    asker: str
    question: str
    price: Mapping[str, float]
    asked: str
    answered: bool


@dataclass(frozen=True)
class Budget:
    """A data set's budget, as its steward sees it.

    Args:
        unit: whose privacy is protected, in words.
        people: all who asked or have a share, by name.
        last: the newest questions first.
    """

    dataset: str
    unit: str
    accounting: Accounting
    budget: Mapping[str, float]
    spent: Mapping[str, float]
    left: Mapping[str, float]
    people: tuple[Share, ...]
    last: tuple[PastQuestion, ...]


def budget_of(store: BudgetStore, name: str, *, last: int = LAST) -> Budget:
    """A data set's budget, who has spent what of it, and its newest questions.

    Raises:
        DataError: it has none here.
    """
    one, spent = store.load(name), store.spent(name)
    said = one.accounting.said
    return Budget(
        dataset=name,
        unit=one.description.unit_text,
        accounting=one.accounting,
        budget=said(one.budget_units),
        spent=said(spent.units),
        left=said(max(0, one.budget_units - spent.units)),
        people=tuple(_share(one, spent, who) for who in sorted({*spent.by, *one.askers})),
        last=tuple(_past(one, paid) for paid in store.spendings(name, last)),
    )


def _share(one: Registration, spent: Spent, who: str) -> Share:
    said, own = one.accounting.said, spent.by.get(who, 0)
    whole = one.budget_units - spent.units
    most = one.askers.get(who)
    if most is None:
        return Share(who, None, said(own), said(0 if one.askers else max(0, whole)))
    return Share(who, said(most), said(own), said(max(0, min(whole, most - own))))


def _past(one: Registration, paid: Spending) -> PastQuestion:
    price = {one.accounting.symbol: paid.units / UNITS}
    if paid.delta_units:
        price["delta"] = paid.delta_units / DELTA_UNITS
    return PastQuestion(paid.asker, paid.question, price, paid.asked, paid.answered)
