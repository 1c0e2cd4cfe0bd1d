"""Registering a data set and asking it: the order of steps is the guarantee.

parse, plan       all that can be wrong with a question, without looking at the data
read              the data must be those that were registered
charge            the price goes to disk; past the budget nothing goes on
treat, measure    the only step that sees values, and OpenDP adds the noise in it
keep              the answer joins its price; the same question again costs nothing
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.core.evidence import Evidence
from hauberk.core.settings import is_number
from hauberk.crypto.secret import Random
from hauberk.privacy.queries import measuring
from hauberk.privacy.queries.accounting import DELTA_UNITS, UNITS, Accounting, units_down
from hauberk.privacy.queries.answer import Answer, answer_of
from hauberk.privacy.queries.description import Description
from hauberk.privacy.queries.opening import budgets_at, default_store
from hauberk.privacy.queries.overview import LAST, Budget, budget_of
from hauberk.privacy.queries.recording import registration_evidence
from hauberk.privacy.queries.sql import parse
from hauberk.privacy.queries.store import BudgetStore, Charge, Registration, Spent
from hauberk.privacy.queries.table import Table, data_seal, read, table_of


@dataclass(frozen=True)
class Registered:
    """A data set that has its budget.

    Args:
        table: as questions will see it. How many values were missing or moved is exact: it is for the steward.
        evidence: that answers will name as their parent.
    """

    registration: Registration
    table: Table
    evidence: Evidence


@dataclass(frozen=True)
class Asked:
    """An answer and what is left.

    Args:
        again: the same person had asked the same before: the earlier answer, at no cost.
        left: of the data set's budget, as its accounting says it.
        left_asker: of the asker's own, or None where there is none.
    """

    answer: Answer
    again: bool
    left: Mapping[str, float]
    left_asker: Mapping[str, float] | None
    registration: Registration


Store = str | BudgetStore | None
"""Where budgets are kept: the URL of a database, one that is open, or None for the one beside the data."""


def register(
    data: str | Path,
    description: Description,
    accounting: Accounting,
    *,
    name: str | None = None,
    askers: Mapping[str, float] | None = None,
    store: Store = None,
    random: Random = os.urandom,
) -> Registered:
    """Give a data set its budget.

    Args:
        name: by default the file's name.
        askers: a budget for each person who may ask, as epsilon (pure) or rho (zcdp). Without any, everybody
            shares the whole. What all have asked together stays within the data set's budget in any case.
        store: a database that is made where it is not there, or one that is open.

    Raises:
        ConfigError: a budget there already is, or that cannot be.
        DataError: data that cannot be read as described.
    """
    own = {asker: _asker_units(asker, budget) for asker, budget in (askers or {}).items()}
    content = read(data)
    table = table_of(data, content, description)
    salt = random(32)
    one = Registration(
        name=name or Path(data).name,
        description=description,
        accounting=accounting,
        budget_units=accounting.budget_units(),
        delta_units=round(accounting.delta * DELTA_UNITS) if accounting.method == "pure" else 0,
        salt=salt,
        data_seal=data_seal(content, salt),
        askers=own,
    )
    if one.budget_units < 1:
        raise ConfigError("the budget is too small to ask anything")
    evidence = registration_evidence(one)
    one = replace(one, evidence=evidence.digest)
    with _kept(data, store, make=True) as keeper:
        _check_new(keeper, one.name, content)
        keeper.register(one)
    return Registered(one, table, evidence)


@contextmanager
def _kept(data: str | Path, store: Store, *, make: bool = False) -> Iterator[BudgetStore]:
    if isinstance(store, BudgetStore):
        yield store
    else:
        with budgets_at(store or default_store(data), make=make) as keeper:
            yield keeper


def _check_new(keeper: BudgetStore, name: str, content: bytes) -> None:
    for other in keeper.registered():
        known = keeper.load(other)
        if other != name and data_seal(content, known.salt) == known.data_seal:
            raise ConfigError(
                f"these data have a budget already, as '{other}': a second one would double their people's loss"
            )


def _asker_units(asker: str, budget: float) -> int:
    check_asker(asker)
    if not is_number(budget) or not budget > 0:
        raise ConfigError(f"the budget of {asker} must be a number above 0, got {budget!r}")
    return units_down(budget)


def check_asker(asker: str) -> str:
    """A name for who asks: one line of at most 200 characters. Who it really is must be known before this."""
    if not re.fullmatch(r"[^\x00-\x1f\x7f]{1,200}", asker) or asker != asker.strip():
        raise ConfigError(f"whoever asks needs a name of at most 200 characters, got {asker!r}")
    return asker


def ask(
    data: str | Path,
    question: str,
    *,
    asker: str,
    epsilon: float | None = None,
    rho: float | None = None,
    delta: float | None = None,
    name: str | None = None,
    store: Store = None,
) -> Asked:
    """Ask a registered data set.

    Args:
        question: SQL, as ``sql.parse`` understands it.
        asker: who asks; a plain name, which somebody before this has made sure of.
        epsilon, rho: the price, by what the data set counts.
        delta: for groups that nobody declared.

    Raises:
        ConfigError, UnknownName: a question or price that cannot be; nothing was spent.
        BudgetExceeded: it costs more than is left; nothing was spent.
        IntegrityError: the data are not those that were registered; nothing was spent.
        DataError, EnvironmentFailure: data or budgets that cannot be reached; nothing was spent.

    Cost: the data are read and treated once; noise takes about ten microseconds a cell.

    Limits: the promise is about answers. Who can read the file needs no questions; how long an answer takes is
    not hidden; and the promise holds for the unit that was declared, not for groups of people.
    """
    check_asker(asker)
    with _kept(data, store) as keeper:
        one = keeper.load(name or Path(data).name)
        loss, units = one.accounting.price(epsilon, rho)
        delta_loss, delta_units = one.accounting.delta_price(delta)
        parsed = parse(question, one.description)
        plan = measuring.plan(parsed, one.description, one.accounting.method, loss, delta_loss)
        content = read(data)
        if data_seal(content, one.salt) != one.data_seal:
            raise IntegrityError(
                f"{data} is not what was registered as '{one.name}'; nothing was spent",
                hint="put the registered file back: its budget belongs to these data",
            )
        charge = keeper.charge(one, asker, parsed.text, units, delta_units)
        if charge.answer is not None:
            answer = Answer.from_json(charge.answer)
        else:
            answer = _measured(keeper, one, plan, charge, data, content, units, delta_units)
        left, own = remains(one, keeper.spent(one.name), asker)
    return Asked(answer, charge.answer is not None, left, own, one)


def _measured(
    keeper: BudgetStore,
    one: Registration,
    plan: measuring.Plan,
    charge: Charge,
    data: str | Path,
    content: bytes,
    units: int,
    delta_units: int,
) -> Answer:
    spent = {one.accounting.symbol: units / UNITS}
    if delta_units:
        spent["delta"] = delta_units / DELTA_UNITS
    released = plan.release(table_of(data, content, one.description))
    answer = answer_of(plan, released, one.description, spent)
    keeper.keep(charge, answer.to_json())
    return answer


def remains(one: Registration, spent: Spent, asker: str) -> tuple[dict[str, float], dict[str, float] | None]:
    """What is left of a data set's budget, and of one person's."""
    symbol = one.accounting.symbol
    left = {symbol: (one.budget_units - spent.units) / UNITS}
    if one.delta_units:
        left["delta"] = (one.delta_units - spent.delta_units) / DELTA_UNITS
    if asker not in one.askers:
        return left, None
    own = min(one.askers[asker] - spent.by.get(asker, 0), one.budget_units - spent.units)
    return left, {symbol: own / UNITS}


def status(data: str | Path, *, name: str | None = None, store: Store = None) -> tuple[Registration, Spent]:
    """A data set's registration and what has been spent of it."""
    with _kept(data, store) as keeper:
        one = keeper.load(name or Path(data).name)
        return one, keeper.spent(one.name)


def budget(data: str | Path, *, name: str | None = None, store: Store = None, last: int = LAST) -> Budget:
    """A data set's budget as its steward reads it: by person, with the ``last`` questions."""
    with _kept(data, store) as keeper:
        return budget_of(keeper, name or Path(data).name, last=last)
