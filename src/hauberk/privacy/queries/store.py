"""Where budgets are kept: three tables in a database, which survive crashes and allow for several at once.

A question's price is on disk before its answer exists, so a crash in between loses an answer and never a price.
Whoever spends locks the data set's row first; two that want the last of a budget come one after the other.

    query_datasets    one row a data set: its description, budget and how its data are known again
    query_askers      what one person may spend of it
    query_spendings   every price paid, with the answer once there is one

Limits: whoever can write to the database can raise budgets, and whoever deletes it starts anew. It belongs to
the data's steward, beside the data; who may ask at all is decided before it, not here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.pool import NullPool

from hauberk.core.clock import Clock, now, timestamp
from hauberk.core.errors import BudgetExceeded, ConfigError, DataError, EnvironmentFailure
from hauberk.core.files import machine_errors
from hauberk.privacy.queries.accounting import DELTA_UNITS, UNITS, Accounting
from hauberk.privacy.queries.description import Description

_WAIT_S = 30  # for another one who is spending

_META = sql.MetaData()
DATASETS = sql.Table(
    "query_datasets",
    _META,
    sql.Column("name", sql.String(200), primary_key=True),
    sql.Column("description", sql.Text, nullable=False),
    sql.Column("method", sql.String(8), nullable=False),
    sql.Column("budget", sql.Float, nullable=False),
    sql.Column("delta", sql.Float, nullable=False),
    sql.Column("budget_units", sql.BigInteger, nullable=False),
    sql.Column("delta_units", sql.BigInteger, nullable=False),
    sql.Column("salt", sql.String(64), nullable=False),
    sql.Column("data_seal", sql.String(64), nullable=False),
    sql.Column("evidence", sql.String(80)),
    sql.Column("turns", sql.BigInteger, nullable=False),
)
ASKERS = sql.Table(
    "query_askers",
    _META,
    sql.Column("dataset", sql.String(200), sql.ForeignKey("query_datasets.name"), primary_key=True),
    sql.Column("asker", sql.String(200), primary_key=True),
    sql.Column("budget_units", sql.BigInteger, nullable=False),
)
SPENDINGS = sql.Table(
    "query_spendings",
    _META,
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=True),
    sql.Column("dataset", sql.String(200), sql.ForeignKey("query_datasets.name"), nullable=False),
    sql.Column("asker", sql.String(200), nullable=False),
    sql.Column("question", sql.Text, nullable=False),
    sql.Column("units", sql.BigInteger, nullable=False),
    sql.Column("delta_units", sql.BigInteger, nullable=False),
    sql.Column("asked", sql.String(32), nullable=False),
    sql.Column("answer", sql.Text),
)


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


def sqlite_url(path: str | Path) -> str:
    return f"sqlite:///{Path(path).absolute()}"


class BudgetStore:
    """The tables in one database.

    Args:
        url: as SQLAlchemy writes it.
        make: create what is not there. Without it a missing database is an error: an empty one would have
            nothing spent.

    Raises:
        ConfigError: not a URL.
        DataError: there is no such database.
        EnvironmentFailure: it cannot be reached.
    """

    def __init__(self, url: str, *, make: bool = False, clock: Clock = now) -> None:
        try:
            parsed = sql.make_url(url)
            local = parsed.get_backend_name() == "sqlite"
            arguments = {"timeout": _WAIT_S} if local else {}
            self._engine = sql.create_engine(parsed, poolclass=NullPool, connect_args=arguments)
        except (sql.exc.ArgumentError, sql.exc.NoSuchModuleError) as error:
            raise ConfigError(f"'{url}' is no database URL", hint="sqlite:///budgets.sqlite") from error
        self._clock = clock
        if local:
            sql.event.listen(self._engine, "connect", _durable)
            self._check_file(Path(parsed.database or ""), make)
        if make:
            with self._turn() as connection:
                _META.create_all(connection)

    def _check_file(self, path: Path, make: bool) -> None:
        if path.is_file():
            return
        if not make:
            raise DataError(f"no budgets at {path}", hint="hauberk data query init DATA --budget E …")
        with machine_errors("write", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))  # the salt in it is the steward's

    def register(self, one: Registration) -> None:
        """Keep a data set's budget.

        Raises:
            ConfigError: the name has one already.
        """
        with self._turn() as connection:
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
        with self._turn() as connection:
            return list(connection.execute(sql.select(DATASETS.c.name).order_by(DATASETS.c.name)).scalars())

    def load(self, name: str) -> Registration:
        """A data set by its name; raises ``DataError`` where there is none."""
        with self._turn() as connection:
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
        with self._turn() as connection:
            return _spent(connection, name)

    def charge(self, one: Registration, asker: str, question: str, units: int, delta_units: int) -> Charge:
        """Pay for a question; when this returns, the price is on disk.

        The same question of the same person at the same price is paid once: what was answered is given again.

        Raises:
            BudgetExceeded: it costs more than is left, of the data set's budget or of the person's; nothing was
                spent.
        """
        with self._turn() as connection:
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
        with self._turn() as connection:
            connection.execute(sql.update(SPENDINGS).where(SPENDINGS.c.id == charge.number).values(answer=text))

    @contextmanager
    def _turn(self) -> Iterator[sql.Connection]:
        """One transaction, on disk when the block ends."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except sql.exc.SQLAlchemyError as error:
            first = (str(getattr(error, "orig", None) or error).splitlines() or ["?"])[0]
            where = self._engine.url.render_as_string(hide_password=True)
            raise EnvironmentFailure(f"the budgets at {where} cannot be used: {first}") from error


def _durable(connection: Any, _record: object) -> None:
    """A commit that returns is on the disk itself, not in a cache of the machine."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=EXTRA")
    cursor.close()


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
