"""Privacy budgets as the console shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.privacy.queries.accounting import DELTA_UNITS, UNITS, Accounting
from hauberk.privacy.queries.description import Column, Description
from hauberk.privacy.queries.store import BudgetStore, Registration
from hauberk.serving.console.budgets import Amount, budgets
from hauberk.vault import Vault, create_vault

SHARED = Registration(
    name="people.csv",
    description=Description({"age": Column("age", "number", 0, 110)}),
    accounting=Accounting("pure", 2.0, 1e-6),
    budget_units=2 * UNITS,
    delta_units=DELTA_UNITS // 1_000_000,
    salt=b"salt",
    data_seal="seal",
    askers={"ann": UNITS, "bob": UNITS // 2},
)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "vault") as made:
        yield made


def test_a_vault_without_budgets_has_none(vault: Vault) -> None:
    assert budgets(vault).datasets == ()


def test_what_was_spent_is_shown_in_all_and_by_person(vault: Vault) -> None:
    store = BudgetStore(vault.database)
    store.register(SHARED)
    paid = store.charge(SHARED, "ann", "SELECT COUNT(*) FROM data", UNITS // 4, 0)
    store.keep(paid, {"value": 7})
    store.charge(SHARED, "ann", "SELECT SUM(age) FROM data", 7 * UNITS // 10, DELTA_UNITS // 4_000_000)
    (one,) = budgets(vault).datasets
    assert (one.name, one.unit, one.counts) == ("people.csv", "one row", "epsilon")
    assert (one.epsilon, one.delta) == (2.0, 1e-6)
    assert one.whole == Amount(0.95, 1.05, 2.0)
    assert not one.whole.nearly
    assert dict(one.people) == {"ann": Amount(0.95, 0.05, 1.0), "bob": Amount(0.0, 0.5, 0.5)}
    assert [name for name, amount in one.people if amount.nearly] == ["ann"]
    assert [(each.text[:10], each.answered) for each in one.last] == [
        ("SELECT SUM", False),
        ("SELECT COU", True),
    ]


def test_who_shares_the_whole_has_no_budget_of_his_own() -> None:
    assert not Amount(9.0, 0.0, None).nearly
    assert Amount(0.0, 0.0, 0.0).share == 0.0
    assert Amount(3.0, 0.0, 2.0).share == 1.0, "a budget that was lowered by hand"
