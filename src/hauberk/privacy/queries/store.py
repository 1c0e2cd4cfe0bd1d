"""Budgets in a database: what survives crashes, and allows for several who ask at once.

A question's price is on disk before its answer exists, so a crash in between loses an answer and never a price.
Whoever spends locks the data set's row first; two that want the last of a budget come one after the other.

Limits: whoever can write to the database can raise budgets, and whoever deletes it starts anew. It belongs to
the data's steward, beside the data or in a vault; who may ask at all is decided before it, not here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql

from hauberk.core.clock import Clock, now, timestamp
from hauberk.core.database import Database
from hauberk.core.errors import BudgetExceeded, ConfigError, DataError
from hauberk.privacy.queries.accounting import DELTA_UNITS, UNITS, Accounting
from hauberk.privacy.queries.description import Description
from hauberk.privacy.queries.schema import ASKERS, DATASETS, SPENDINGS


@dataclass(frozen=True)
class Registration:
    """A data set whose budget is kept.

    Args:
        data_seal: by which the data are known again, under ``salt``.
        askers: what each person may spend, in units; empty where everybody shares the whole.
        evidence: digest of the evidence of the registration, or None.
    """

    name: str
    description: Description
    accounting: Accounting
    budget_units: int
    delta_units: int
    salt: bytes
    data_seal: str
    askers: Mapping[str, int]
    evidence: str | None = None


@dataclass(frozen=True)
class Spent:
    """What has been spent, in units: in all, of delta, and by each person."""

    units: int
    delta_units: int
    by: Mapping[str, int]


@dataclass(frozen=True)
class Charge:
    """A price that is on disk. ``answer`` is there already where the same person had asked the same before."""

    number: int
    answer: Mapping[str, Any] | None


@dataclass(frozen=True)
class Spending:
    """One price that was paid.

    Args:
        asked: the time, as RFC 3339 writes it in UTC.
        answered: False where the machine failed between the price and the answer.
    """

    asker: str
    question: str
    units: int
    delta_units: int
    asked: str
    answered: bool


class BudgetStore:
    """The tables in one database.

    Args:
        database: with these tables. It is not closed here.

    Raises from every method:
        EnvironmentFailure: the database does not answer.
        IntegrityError: its file is damaged.
    """

    def __init__(self, database: Database, *, clock: Clock = now) -> None:
        self.database, self._clock = database, clock

    def register(self, one: Registration) -> None:
        """Keep a data set's budget.

        Raises:
            ConfigError: the name has one already.
        """
        with self.database.write() as connection:
            if connection.execute(sql.select(DATASETS.c.name).where(DATASETS.c.name == one.name)).first():
                raise ConfigError(
                    f"'{one.name}' has a budget already; a second one would promise what the first has spent",
                    hint="hauberk data query status shows what is left",
                )
            connection.execute(
                DATASETS.insert().values(
                    name=one.name,
                    description=json.dumps(one.description.to_json(), ensure_ascii=False),
                    method=one.accounting.method,
                    budget=one.accounting.budget,
                    delta=one.accounting.delta,
                    budget_units=one.budget_units,
                    delta_units=one.delta_units,
                    salt=one.salt.hex(),
                    data_seal=one.data_seal,
                    evidence=one.evidence,
                    turns=0,
                )
            )
            for asker, units in one.askers.items():
                connection.execute(ASKERS.insert().values(dataset=one.name, asker=asker, budget_units=units))

    def registered(self) -> list[str]:
        """The names of all data sets."""
        with self.database.read() as connection:
            return list(connection.execute(sql.select(DATASETS.c.name).order_by(DATASETS.c.name)).scalars())

    def load(self, name: str) -> Registration:
        """A data set by its name; raises ``DataError`` where there is none."""
        with self.database.read() as connection:
            row = connection.execute(sql.select(DATASETS).where(DATASETS.c.name == name)).mappings().first()
            if row is None:
                raise DataError(
                    f"'{name}' has no budget here", hint="hauberk data query init DATA --budget E …"
                )
            askers = connection.execute(sql.select(ASKERS).where(ASKERS.c.dataset == name)).mappings()
            return Registration(
                name=row["name"],
                description=Description.from_json(json.loads(row["description"])),
                accounting=Accounting(row["method"], row["budget"], row["delta"]),
                budget_units=row["budget_units"],
                delta_units=row["delta_units"],
                salt=bytes.fromhex(row["salt"]),
                data_seal=row["data_seal"],
                askers={one["asker"]: one["budget_units"] for one in askers},
                evidence=row["evidence"],
            )

    def spent(self, name: str) -> Spent:
        """What has been spent of a data set's budget."""
        with self.database.read() as connection:
            return _spent(connection, name)

    def spendings(self, name: str, last: int) -> list[Spending]:
        """What was asked of a data set, the newest first, at most ``last``."""
        wanted = (
            sql.select(SPENDINGS, SPENDINGS.c.answer.is_not(None).label("answered"))
            .where(SPENDINGS.c.dataset == name)
            .order_by(SPENDINGS.c.id.desc())
            .limit(last)
        )
        with self.database.read() as connection:
            rows = connection.execute(wanted).mappings().all()
        return [
            Spending(
                row["asker"],
                row["question"],
                row["units"],
                row["delta_units"],
                row["asked"],
                bool(row["answered"]),
            )
            for row in rows
        ]

    def charge(self, one: Registration, asker: str, question: str, units: int, delta_units: int) -> Charge:
        """Pay for a question; when this returns, the price is on disk.

        The same question of the same person at the same price is paid once: what was answered is given again.

        Raises:
            BudgetExceeded: it costs more than is left, of the data set's budget or of the person's; nothing was
                spent.
        """
        with self.database.write() as connection:
            lock = sql.update(DATASETS).where(DATASETS.c.name == one.name).values(turns=DATASETS.c.turns + 1)
            if connection.execute(lock).rowcount != 1:
                raise DataError(f"'{one.name}' has no budget here")
            earlier = connection.execute(
                sql.select(SPENDINGS.c.id, SPENDINGS.c.answer)
                .where(
                    SPENDINGS.c.dataset == one.name,
                    SPENDINGS.c.asker == asker,
                    SPENDINGS.c.question == question,
                    SPENDINGS.c.units == units,
                    SPENDINGS.c.delta_units == delta_units,
                    SPENDINGS.c.answer.is_not(None),
                )
                .order_by(SPENDINGS.c.id)
            ).first()
            if earlier is not None:
                return Charge(earlier.id, json.loads(earlier.answer))
            _check_budgets(one, _spent(connection, one.name), asker, units, delta_units)
            paid = connection.execute(
                SPENDINGS.insert().values(
                    dataset=one.name,
                    asker=asker,
                    question=question,
                    units=units,
                    delta_units=delta_units,
                    asked=timestamp(self._clock),
                )
            )
            assert paid.inserted_primary_key is not None
            return Charge(int(paid.inserted_primary_key[0]), None)

    def keep(self, charge: Charge, answer: Mapping[str, Any]) -> None:
        """Store the answer with its price."""
        text = json.dumps(answer, ensure_ascii=False)
        with self.database.write() as connection:
            connection.execute(sql.update(SPENDINGS).where(SPENDINGS.c.id == charge.number).values(answer=text))


def _spent(connection: sql.Connection, name: str) -> Spent:
    units, delta_units = sql.func.sum(SPENDINGS.c.units), sql.func.sum(SPENDINGS.c.delta_units)
    rows = connection.execute(
        sql.select(SPENDINGS.c.asker, units, delta_units)
        .where(SPENDINGS.c.dataset == name)
        .group_by(SPENDINGS.c.asker)
    ).all()
    by = {asker: int(own) for asker, own, _delta in rows}
    return Spent(sum(by.values()), sum(int(delta) for _asker, _own, delta in rows), by)


def _check_budgets(one: Registration, spent: Spent, asker: str, units: int, delta_units: int) -> None:
    symbol = one.accounting.symbol
    if one.askers and asker not in one.askers:
        raise BudgetExceeded(f"'{asker}' has no budget for '{one.name}'; nothing was spent")
    left = {"": one.budget_units - spent.units}
    if asker in one.askers:
        left[f" of {asker}"] = one.askers[asker] - spent.by.get(asker, 0)
    for whose, units_left in left.items():
        if units > units_left:
            raise BudgetExceeded(
                f"the question costs {symbol} {units / UNITS:g}, the budget{whose} has "
                f"{units_left / UNITS:g} left; nothing was spent",
                wanted=units / UNITS,
                left=units_left / UNITS,
            )
    if delta_units > one.delta_units - spent.delta_units:
        raise BudgetExceeded(
            f"the question costs delta {delta_units / DELTA_UNITS:g}, the budget has "
            f"{(one.delta_units - spent.delta_units) / DELTA_UNITS:g} left; nothing was spent"
        )
