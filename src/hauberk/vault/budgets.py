"""Private queries whose budgets stand in a vault: who asks is whom the gate admitted, and the trail has it all.

    with open_vault("vault") as vault:
        register(vault, "people.csv", description, Accounting("pure", 2.0), askers={"ann": 1.0})
        ask(vault, "people.csv", "SELECT COUNT(*) FROM data", epsilon=0.1)
        budgets(vault)

``data.manage`` on a data set registers it and sees what was spent of it, ``data.query`` asks it. The data stay
where they are; the vault keeps what is public about them, what was spent, and their seal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from hauberk.core.errors import BudgetExceeded, ConfigError, DataError, IntegrityError
from hauberk.privacy import queries
from hauberk.privacy.queries.accounting import Accounting
from hauberk.privacy.queries.description import Description
from hauberk.privacy.queries.overview import LAST, Budget, budget_of
from hauberk.privacy.queries.store import BudgetStore
from hauberk.vault.names import check_dataset
from hauberk.vault.place import Vault

MANAGE, QUERY = "data.manage", "data.query"


def register(
    vault: Vault,
    data: str | Path,
    description: Description,
    accounting: Accounting,
    *,
    name: str | None = None,
    askers: Mapping[str, float] | None = None,
) -> queries.Registered:
    """Give a data set its budget in the vault.

    Args:
        name: by default the file's name; rules of access name the data set by it.
        askers: a share for each identity; without any, all who may ask share the whole.

    Raises:
        AccessDenied: ``data.manage`` is not allowed on it.
        ConfigError: a name that rules could not name, and as ``hauberk.privacy.queries.register``.
        DataError: data that cannot be read as described.
    """
    name = check_dataset(name or Path(data).name)
    vault.gate.check(MANAGE, name, detail="give it a budget")
    return queries.register(data, description, accounting, name=name, askers=askers, store=_store(vault))


def ask(
    vault: Vault,
    data: str | Path,
    question: str,
    *,
    epsilon: float | None = None,
    rho: float | None = None,
    delta: float | None = None,
    name: str | None = None,
) -> queries.Asked:
    """Ask a data set in the name of whom the gate admitted.

    A question that is refused costs nothing. The trail has a line that he asked, and one more where the budget,
    the question or the data made it a refusal; a question stands in it by its digest.

    Raises:
        AccessDenied: ``data.query`` is not allowed on it.
        HauberkError: as ``hauberk.privacy.queries.ask``.
    """
    name = check_dataset(name or Path(data).name)
    detail = f"question sha256:{hashlib.sha256(question.encode()).hexdigest()}"
    vault.gate.check(QUERY, name, detail=detail)
    try:
        return queries.ask(
            data,
            question,
            asker=vault.gate.actor,
            epsilon=epsilon,
            rho=rho,
            delta=delta,
            name=name,
            store=_store(vault),
        )
    except (BudgetExceeded, ConfigError, DataError, IntegrityError) as error:
        vault.gate.refused(QUERY, name, _reason(error), detail=detail)
        raise


def _reason(error: Exception) -> str:
    """For the trail; other messages than of budgets can hold parts of the question or of the data."""
    if isinstance(error, BudgetExceeded):
        return f"budget: {error}"
    if isinstance(error, ConfigError):
        return "not a question, or not a price"
    return "the data or their budget are not there, or other data are"


def budgets(vault: Vault, *, last: int = LAST) -> list[Budget]:
    """All budgets in the vault, by the names of their data sets.

    Raises:
        AccessDenied: ``data.manage`` is not allowed on all data sets.
    """
    vault.gate.check(MANAGE, detail="see all budgets")
    store = _store(vault)
    return [budget_of(store, one, last=last) for one in store.registered()]


def budget(vault: Vault, name: str, *, last: int = LAST) -> Budget:
    """One data set's budget.

    Raises:
        AccessDenied: ``data.manage`` is not allowed on it.
        DataError: it has none here.
    """
    vault.gate.check(MANAGE, check_dataset(name), detail="see its budget")
    return budget_of(_store(vault), name, last=last)


def _store(vault: Vault) -> BudgetStore:
    return BudgetStore(vault.database, clock=vault.clock)
