from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import common
from hauberk.cli.callers import api_key_option, caller_options
from hauberk.cli.data.query_columns import columns_of, number, pairs
from hauberk.cli.data.query_text import amount, budget_json, show, show_budget
from hauberk.cli.vault.options import opened

if TYPE_CHECKING:
    from hauberk.vault import Vault

_path = click.Path(path_type=Path)
_data = click.argument("data", metavar="DATASET", type=_path)
_name = click.option("--name", default=None, help="What the budget is kept under [default: the file's name].")
_store = click.option("--store", default=None, metavar="URL", envvar="HAUBERK_QUERY_STORE",
                      help="Database of budgets [default: DATASET.budget, beside it].")  # fmt: skip
_vault = click.option("--vault", "where", type=_path, default=None, metavar="DIR",
                      help="Keep the budget in this vault, which says who may.")  # fmt: skip
_evidence = click.option("--evidence", type=_path, default=None, metavar="DIR",
                         help="Where the record goes [default: 'evidence' beside DATASET].")  # fmt: skip


class _Asking(click.Group):
    """``query DATASET "SELECT …"`` asks; only ``init`` and ``status`` are commands of their own."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "ask", ask, args

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or ask

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("--") and args[0] != "--help":
            raise click.UsageError('the data set comes first: hauberk data query DATASET "SELECT …"', ctx)
        return super().parse_args(ctx, args)


@click.group(
    "query",
    cls=_Asking,
    subcommand_metavar='DATASET "SELECT …" | init … | status …',
    epilog='Example: hauberk data query people.csv "SELECT AVG(age) FROM data" --epsilon 0.1 --as ann',
)
def command() -> None:
    """Ask a data set with differential privacy, within its budget.

    hauberk data query DATASET "SELECT …" --epsilon E --as NAME asks (see --help there: query DATASET --help).
    """


@command.command(
    "init", epilog="Example: hauberk data query init people.csv --budget 2 --bounds age=0:110 --values sex=f,m"
)
@_data
@click.option("--budget", type=float, default=None, metavar="EPS", help="Epsilon for everything ever asked.")
@click.option("--delta", type=float, default=None, metavar="D", help="For zcdp, and for groups not declared.")
@click.option("--accounting", default=None, help="pure (epsilon adds up) or zcdp (rho does) [default: pure].")
@click.option(
    "--unit",
    default=None,
    metavar="row|COLUMN",
    help="Whose privacy: a row, or the person it names [default: row].",
)
@click.option(
    "--most-rows", type=int, default=None, metavar="N", help="Of one person; further rows are left out."
)
@click.option("--bounds", multiple=True, metavar="COL=LOW:HIGH", help="A number column; repeatable.")
@click.option("--values", multiple=True, metavar="COL=A,B", help="A category column; repeatable.")
@click.option(
    "--open",
    "open_columns",
    multiple=True,
    metavar="COL",
    help="A column whose values nobody declares; repeatable.",
)
@click.option(
    "--missing", multiple=True, metavar="COL=VALUE", help="What stands for a missing value; repeatable."
)
@click.option(
    "--asker",
    "askers",
    multiple=True,
    metavar="NAME=BUDGET",
    help="What one person may spend of it; repeatable.",
)
@click.option("--description", type=_path, default=None, metavar="FILE.toml", help="All of this in a file.")
@_name
@_store
@_vault
@caller_options
@_evidence
@common.json_option
def init(
    data: Path,
    budget: float | None,
    delta: float | None,
    accounting: str | None,
    unit: str | None,
    most_rows: int | None,
    bounds: tuple[str, ...],
    values: tuple[str, ...],
    open_columns: tuple[str, ...],
    missing: tuple[str, ...],
    askers: tuple[str, ...],
    description: Path | None,
    name: str | None,
    store: str | None,
    where: Path | None,
    as_name: str | None,
    api_key_file: Path | None,
    evidence: Path | None,
    as_json: bool,
) -> None:
    """Give a data set its budget, and say what is public about it.

    Bounds and values are written down from what anybody knows, never read from the data.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.privacy.queries import Accounting, Description, read_toml, register
    from hauberk.vault import budgets

    settings: dict[str, Any] = {}
    if description is not None:
        if bounds or values or open_columns or missing or unit or most_rows:
            raise ConfigError("columns and unit stand in --description: say it in one place")
        settings, declared = read_toml(description)
    else:
        declared = Description(columns_of(bounds, values, open_columns, missing), unit or "row", most_rows or 1)
    given = {"budget": budget, "delta": delta, "accounting": accounting}
    settings = {**settings, **{key: value for key, value in given.items() if value is not None}}
    if "budget" not in settings:
        raise ConfigError("a data set needs a budget", hint="--budget 2")
    shares = dict(settings.get("askers", {}))
    shares.update({who: number(text, "--asker") for who, text in pairs(askers, "--asker")})
    promise = Accounting(settings.get("accounting", "pure"), settings["budget"], settings.get("delta", 0.0))
    with _place(where, store, as_name, api_key_file) as vault:
        if vault is None:
            done = register(data, declared, promise, name=name, askers=shares, store=store)
        else:
            done = budgets.register(vault, data, declared, promise, name=name, askers=shares)
    common.keep(done.evidence, common.evidence_folder(data, evidence), data)
    one, table = done.registration, done.table
    treated = {column: {"missing": how.missing, "moved": how.moved} for column, how in table.treated.items()}
    if as_json:
        common.print_json(
            {
                "dataset": one.name,
                "unit": one.description.unit_text,
                "budget": one.accounting.said(one.budget_units),
                "rows_left_out": table.left_out,
                "treated": treated,
                "evidence": done.evidence.digest,
            }
        )
        return
    click.echo(f"{one.name}: {amount(one.accounting.said(one.budget_units))}, for {one.description.unit_text}")
    common.say(f"for you alone, not for publication: {table.left_out} rows left out")
    for column, how in treated.items():
        if how["missing"] or how["moved"]:
            common.say(f"  {column}: {how['missing']} missing, {how['moved']} outside what is declared")


@command.command("status", epilog="Example: hauberk data query status people.csv")
@_data
@_name
@_store
@_vault
@caller_options
@common.json_option
def status_command(
    data: Path,
    name: str | None,
    store: str | None,
    where: Path | None,
    as_name: str | None,
    api_key_file: Path | None,
    as_json: bool,
) -> None:
    """What has been spent of a data set's budget, by whom, what is left, and what was asked last."""
    from hauberk.privacy.queries import budget
    from hauberk.vault import budgets

    with _place(where, store, as_name, api_key_file) as vault:
        if vault is None:
            found = budget(data, name=name, store=store)
        else:
            found = budgets.budget(vault, name or data.name)
    if as_json:
        common.print_json(budget_json(found))
    else:
        show_budget(found)


@click.command(
    "ask", epilog='Example: hauberk data query people.csv "SELECT AVG(age) FROM data" --epsilon 0.1 --as ann'
)
@_data
@click.argument("question", metavar="SQL")
@click.option(
    "--epsilon", type=float, default=None, metavar="E", help="What the answer may cost (pure accounting)."
)
@click.option(
    "--rho", type=float, default=None, metavar="R", help="What the answer may cost (zcdp accounting)."
)
@click.option("--delta", type=float, default=None, metavar="D", help="For groups that were not declared.")
@click.option("--as", "asker", default=None, metavar="NAME", help="Who asks; in a vault, who you are there.")
@_name
@_store
@_vault
@api_key_option
@_evidence
@common.json_option
def ask(
    data: Path,
    question: str,
    epsilon: float | None,
    rho: float | None,
    delta: float | None,
    asker: str | None,
    name: str | None,
    store: str | None,
    where: Path | None,
    api_key_file: Path | None,
    evidence: Path | None,
    as_json: bool,
) -> None:
    """Ask one question: SELECT keys and COUNT(*), SUM(c), AVG(c), MEDIAN(c) or QUANTILE(c, q) FROM data
    [WHERE conditions] [GROUP BY columns or BIN(c, n)].

    The price is on disk before the answer is made. The same question again gives the same answer for nothing.
    """
    from hauberk.privacy.queries import ask as ask_for
    from hauberk.privacy.queries.recording import answer_evidence
    from hauberk.vault import budgets

    began = time.monotonic()
    price = {"epsilon": epsilon, "rho": rho, "delta": delta}
    with _place(where, store, None if where is None else asker, api_key_file) as vault:
        if vault is None:
            asker = _named(asker)
            asked = ask_for(data, question, asker=asker, name=name, store=store, **price)
        else:
            asker = vault.gate.actor
            asked = budgets.ask(vault, data, question, name=name, **price)
    record = answer_evidence(asked, asker, duration_s=time.monotonic() - began)
    common.keep(record, common.evidence_folder(data, evidence), data)
    if as_json:
        common.print_json(
            {
                "dataset": asked.registration.name,
                "unit": asked.registration.description.unit_text,
                **asked.answer.to_json(),
                "again": asked.again,
                "left": dict(asked.left),
                "left_asker": None if asked.left_asker is None else dict(asked.left_asker),
                "evidence": record.digest,
            }
        )
        return
    show(asked.answer.figures, asked.answer.rows, asked.answer.threshold)
    cost = "nothing (asked before)" if asked.again else amount(asked.answer.spent)
    own = "" if asked.left_asker is None else f"; {asker} has {amount(asked.left_asker)} left"
    click.echo(f"spent {cost}; left {amount(asked.left)}{own}")
    click.echo(f"protects {asked.registration.description.unit_text}")


@contextmanager
def _place(
    where: Path | None, store: str | None, as_name: str | None, api_key_file: Path | None
) -> Iterator[Vault | None]:
    """The vault with the gate of whoever calls, or None where budgets stand in a database of their own."""
    from hauberk.core.errors import ConfigError

    if where is None:
        if as_name or api_key_file:
            raise ConfigError("--as and --api-key-file say who you are in a vault: --vault DIR")
        yield None
        return
    if store is not None:
        raise ConfigError("budgets stand in a vault or in a database of their own: --vault or --store")
    with opened(where, as_name, api_key_file) as vault:
        yield vault


def _named(asker: str | None) -> str:
    from hauberk.core.errors import ConfigError

    if asker is None:
        raise ConfigError("a question needs somebody who asks it", hint="--as NAME, or --vault DIR")
    return asker
