"""Budgets of private queries: databases beside data, and those that a vault keeps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hauberk.assurance.finding import Subject
from hauberk.assurance.gathering.repositories import walk
from hauberk.assurance.target import Budget
from hauberk.core.canonical import digest
from hauberk.core.errors import HauberkError

if TYPE_CHECKING:
    from hauberk.privacy.queries.store import BudgetStore
    from hauberk.vault import Vault

_BUDGET = ".budget"


def beside_data(folder: Path) -> tuple[Budget, ...]:
    """Budgets in a folder; one that cannot be read counts as spent."""
    from hauberk.privacy.queries.opening import budgets_at

    found: list[Budget] = []
    for one in walk(folder):
        if one.suffix != _BUDGET:
            continue
        try:
            with budgets_at(f"sqlite:///{one.absolute()}") as store:
                found += _all(store)
        except HauberkError as error:
            subject = Subject("data", one.relative_to(folder).as_posix(), None)
            found.append(Budget(subject=subject, epsilon=0.0, delta=0.0, spent=0.0, why=str(error)))
    return tuple(found)


def of_vault(vault: Vault) -> tuple[Budget, ...]:
    """Budgets that a vault keeps, for a caller who may read its trail, where every question stands anyway.

    Raises:
        AccessDenied: he may not.
    """
    from hauberk.privacy.queries.store import BudgetStore

    vault.gate.check("audit.read", detail="audit: budgets")
    return tuple(_all(BudgetStore(vault.database)))


def _all(store: BudgetStore) -> list[Budget]:
    from hauberk.privacy.queries.accounting import UNITS, epsilon_of

    found = []
    for dataset in store.registered():
        one, spent = store.load(dataset), store.spent(dataset)
        units, own = spent.units / UNITS, one.accounting
        epsilon = units if own.method == "pure" else epsilon_of(units, own.delta) if units else 0.0
        subject = Subject("data", dataset, digest(one.description.to_json()))
        evidence = () if one.evidence is None else (one.evidence,)
        found.append(
            Budget(subject=subject, epsilon=own.budget, delta=own.delta, spent=epsilon, evidence=evidence)
        )
    return found
