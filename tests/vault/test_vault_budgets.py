"""Private queries whose budgets stand in a vault: the books are right, and only the gate's caller pays."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hauberk.access import AccessGate, open_access
from hauberk.access.deciding import Caller
from hauberk.access.granting import grant
from hauberk.access.identities import add
from hauberk.core.errors import AccessDenied, BudgetExceeded, ConfigError, DataError, IntegrityError
from hauberk.privacy.queries import Accounting, Column, Description
from hauberk.vault import Vault
from hauberk.vault.budgets import ask, budget, budgets, register

COUNT = "SELECT COUNT(*) FROM data"
AGES = Description({"age": Column("age", "number", 0, 110)})


@pytest.fixture(autouse=True)
def needed(absent: Callable[[str, str], None]) -> None:
    for part in ("opendp", "sqlglot"):
        if importlib.util.find_spec(part) is None:
            absent(part, "pip install 'hauberk[queries]'")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("age\n" + "\n".join(str(age % 90) for age in range(300)) + "\n")
    return path


@pytest.fixture
def shared(any_vault: Vault, people: Path) -> Vault:
    """With a budget of which ann and bob have a share; eve may ask and has none, dan may not ask."""
    register(any_vault, people, AGES, Accounting("pure", 1.0), askers={"ann": 0.8, "bob": 0.8, "dan": 0.5})
    for name in ("ann", "bob", "eve", "dan", "sam"):
        add(any_vault.database, name)
    for name in ("ann", "bob", "eve"):
        grant(any_vault.database, "data.query", name, "people.*")
    grant(any_vault.database, "data.manage", "sam")
    return any_vault


def by(vault: Vault, name: str) -> Vault:
    vault.gate = AccessGate(open_access(vault), Caller(name, "key"))
    return vault


def spent(vault: Vault) -> list[Any]:
    with vault.database.read() as connection:
        return [
            tuple(one)
            for one in connection.execute(text("SELECT asker, units FROM query_spendings ORDER BY id"))
        ]


def trail(vault: Vault) -> list[Any]:
    """Who, what, on what, allowed; read without the package."""
    wanted = "SELECT who, action, model, allowed, why FROM access_trail ORDER BY number"
    with vault.database.read() as connection:
        return [(who, what, on, bool(yes), why) for who, what, on, yes, why in connection.execute(text(wanted))]


def test_whom_the_gate_admitted_pays_and_the_trail_has_it(shared: Vault, people: Path) -> None:
    asked = ask(by(shared, "ann"), people, COUNT, epsilon=0.6)
    assert (asked.left, asked.left_asker) == ({"epsilon": 0.4}, {"epsilon": pytest.approx(0.2)})
    assert spent(shared) == [("ann", 600_000_000)]
    assert [one[:4] for one in trail(shared)] == [("ann", "data.query", "people.csv", True)]
    assert ask(by(shared, "ann"), people, COUNT, epsilon=0.6).again
    assert spent(shared) == [("ann", 600_000_000)]


def test_a_refused_question_costs_nothing_and_is_in_the_trail(shared: Vault, people: Path) -> None:
    ask(by(shared, "ann"), people, COUNT, epsilon=0.6)
    before = spent(shared)
    with pytest.raises(BudgetExceeded):
        ask(by(shared, "bob"), people, COUNT, epsilon=0.5)
    with pytest.raises(BudgetExceeded, match="'eve' has no budget"):
        ask(by(shared, "eve"), people, COUNT, epsilon=0.1)
    with pytest.raises(ConfigError):
        ask(by(shared, "bob"), people, "SELECT age FROM data WHERE age = 41", epsilon=0.1)
    with pytest.raises(AccessDenied):  # his share does not let him in
        ask(by(shared, "dan"), people, COUNT, epsilon=0.1)
    people.write_text(people.read_text() + "41\n")
    with pytest.raises(IntegrityError):
        ask(by(shared, "bob"), people, COUNT, epsilon=0.1)
    assert spent(shared) == before
    refused = [one for one in trail(shared) if not one[3]]
    assert [one[0] for one in refused] == ["bob", "eve", "bob", "dan", "bob"]
    assert refused[0][4].startswith("budget: the question costs epsilon 0.5, the budget has 0.4 left")
    assert not any("41" in one[4] for one in refused)


def test_a_steward_reads_who_spent_what(shared: Vault, people: Path) -> None:
    ask(by(shared, "ann"), people, COUNT, epsilon=0.6)
    ask(by(shared, "bob"), people, "SELECT AVG(age) FROM data", epsilon=0.1)
    (found,) = budgets(by(shared, "sam"), last=1)
    assert (found.dataset, found.budget, found.spent) == ("people.csv", {"epsilon": 1.0}, {"epsilon": 0.7})
    assert found.left == {"epsilon": pytest.approx(0.3)}
    assert {one.name: (one.spent["epsilon"], one.left["epsilon"]) for one in found.people} == {
        "ann": (0.6, pytest.approx(0.2)), "bob": (0.1, pytest.approx(0.3)), "dan": (0.0, pytest.approx(0.3)),
    }  # fmt: skip
    assert [(one.asker, one.price, one.answered) for one in found.last] == [("bob", {"epsilon": 0.1}, True)]
    assert len(budget(by(shared, "sam"), "people.csv").last) == 2
    for act in (lambda vault: budgets(vault), lambda vault: budget(vault, "people.csv")):
        with pytest.raises(AccessDenied):
            act(by(shared, "ann"))
    with pytest.raises(DataError, match="'other' has no budget"):
        budget(by(shared, "sam"), "other")


def test_who_may_ask_may_not_give_budgets(shared: Vault, people: Path, tmp_path: Path) -> None:
    other = tmp_path / "people.2"
    other.write_text("age\n1\n")
    with pytest.raises(AccessDenied):
        register(by(shared, "ann"), other, AGES, Accounting("pure", 1.0))
    with pytest.raises(ConfigError, match=r"as 'people\.csv'"):
        register(by(shared, "sam"), people, AGES, Accounting("pure", 1.0), name="again")
    with pytest.raises(ConfigError, match="no name for a data set"):
        register(by(shared, "sam"), people, AGES, Accounting("pure", 1.0), name="a/b")


def test_nothing_is_answered_that_the_trail_does_not_hold(shared: Vault, people: Path) -> None:
    vault = by(shared, "ann")
    with vault.database.write() as connection:
        connection.execute(text("ALTER TABLE access_trail RENAME TO away"))
    with pytest.raises(AccessDenied):
        ask(vault, people, COUNT, epsilon=0.1)
    assert spent(vault) == []
