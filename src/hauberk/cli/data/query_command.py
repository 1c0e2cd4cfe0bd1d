from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.privacy.queries import Column

_path = click.Path(path_type=Path)
_data = click.argument("data", metavar="DATASET", type=_path)
_name = click.option("--name", default=None, help="What the budget is kept under [default: the file's name].")
_store = click.option("--store", default=None, metavar="URL", envvar="HAUBERK_QUERY_STORE",
                      help="Database of budgets [default: DATASET.budget, beside it].")  # fmt: skip
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
    evidence: Path | None,
    as_json: bool,
) -> None:
    """Give a data set its budget, and say what is public about it.

    Bounds and values are written down from what anybody knows, never read from the data.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.privacy.queries import Accounting, Description, read_toml, register

    settings: dict[str, Any] = {}
    if description is not None:
        if bounds or values or open_columns or missing or unit or most_rows:
            raise ConfigError("columns and unit stand in --description: say it in one place")
        settings, declared = read_toml(description)
    else:
        declared = Description(_columns(bounds, values, open_columns, missing), unit or "row", most_rows or 1)
    given = {"budget": budget, "delta": delta, "accounting": accounting}
    settings = {**settings, **{key: value for key, value in given.items() if value is not None}}
    if "budget" not in settings:
        raise ConfigError("a data set needs a budget", hint="--budget 2")
    shares = dict(settings.get("askers", {}))
    shares.update({who: _float(text, "--asker") for who, text in _pairs(askers, "--asker")})
    promise = Accounting(settings.get("accounting", "pure"), settings["budget"], settings.get("delta", 0.0))
    done = register(data, declared, promise, name=name, askers=shares, store=store)
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
    click.echo(f"{one.name}: {_amount(one.accounting.said(one.budget_units))}, for {one.description.unit_text}")
    common.say(f"for you alone, not for publication: {table.left_out} rows left out")
    for column, how in treated.items():
        if how["missing"] or how["moved"]:
            common.say(f"  {column}: {how['missing']} missing, {how['moved']} outside what is declared")


@command.command("status", epilog="Example: hauberk data query status people.csv")
@_data
@_name
@_store
@common.json_option
def status_command(data: Path, name: str | None, store: str | None, as_json: bool) -> None:
    """What has been spent of a data set's budget, by whom, and what is left."""
    from hauberk.privacy.queries import status

    one, spent = status(data, name=name, store=store)
    said = one.accounting.said
    left = max(0, one.budget_units - spent.units)
    if as_json:
        common.print_json(
            {
                "dataset": one.name,
                "unit": one.description.unit_text,
                "budget": said(one.budget_units),
                "spent": said(spent.units),
                "left": said(left),
                "askers": {who: said(units) for who, units in spent.by.items()},
            }
        )
        return
    click.echo(f"{one.name}, for {one.description.unit_text}")
    for what, units in (("budget", one.budget_units), ("spent", spent.units), ("left", left)):
        click.echo(f"  {what:7} {_amount(said(units))}")
    for who in sorted({*spent.by, *one.askers}):
        most = f" of {_amount(said(one.askers[who]))}" if who in one.askers else ""
        click.echo(f"  {who}: {_amount(said(spent.by.get(who, 0)))}{most}")


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
@click.option("--as", "asker", required=True, metavar="NAME", help="Who asks.")
@_name
@_store
@_evidence
@common.json_option
def ask(
    data: Path,
    question: str,
    epsilon: float | None,
    rho: float | None,
    delta: float | None,
    asker: str,
    name: str | None,
    store: str | None,
    evidence: Path | None,
    as_json: bool,
) -> None:
    """Ask one question: SELECT keys and COUNT(*), SUM(c), AVG(c), MEDIAN(c) or QUANTILE(c, q) FROM data
    [WHERE conditions] [GROUP BY columns or BIN(c, n)].

    The price is on disk before the answer is made. The same question again gives the same answer for nothing.
    """
    from hauberk.privacy.queries import ask as ask_for
    from hauberk.privacy.queries.recording import answer_evidence

    began = time.monotonic()
    asked = ask_for(data, question, asker=asker, epsilon=epsilon, rho=rho, delta=delta, name=name, store=store)
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
    _show(asked.answer.figures, asked.answer.rows, asked.answer.threshold)
    cost = "nothing (asked before)" if asked.again else _amount(asked.answer.spent)
    own = "" if asked.left_asker is None else f"; {asker} has {_amount(asked.left_asker)} left"
    click.echo(f"spent {cost}; left {_amount(asked.left)}{own}")
    click.echo(f"protects {asked.registration.description.unit_text}")


def _show(figures: Any, rows: Any, threshold: int | None) -> None:
    for row in rows:
        keys = "  ".join(row["keys"].values())
        values = "  ".join(_figure(label, one) for label, one in row["values"].items())
        click.echo(f"{keys}{': ' if keys else ''}{values}")
    if threshold is not None:
        click.echo(f"groups with a noisy count below {threshold} are not shown")
    for one in figures:
        scales = [f"{part['scale']:.4g}" for part in one["noise"]]
        scale = f"{scales[0]} on the sum and {scales[1]} on the count" if one["kind"] == "mean" else scales[0]
        click.echo(f"{one['label']}: {one['noise'][0]['noise']} noise of scale {scale}")
    click.echo("intervals are about this noise alone, and hold at 95 % each")


def _figure(label: str, one: dict[str, Any]) -> str:
    if "rank_error" in one:
        return f"{label} {one['value']:.6g} (within {one['rank_error']:.0f} ranks)"
    value, low, high = (
        str(each) if isinstance(each, int) else f"{each:.6g}"
        for each in (one["value"], one["low"], one["high"])
    )
    return f"{label} {value} [{low}, {high}]"


def _amount(said: Any) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in said.items())


def _columns(
    bounds: tuple[str, ...], values: tuple[str, ...], open_columns: tuple[str, ...], missing: tuple[str, ...]
) -> dict[str, Column]:
    from hauberk.core.errors import ConfigError, check_known
    from hauberk.privacy.queries import Column

    instead = dict(_pairs(missing, "--missing"))
    found: list[Column] = []
    for name, text in _pairs(bounds, "--bounds"):
        low, colon, high = text.partition(":")
        if not colon:
            raise ConfigError(f"--bounds takes COL=LOW:HIGH, got '{name}={text}'")
        fill = _float(instead[name], "--missing") if name in instead else None
        found.append(Column(name, "number", _float(low, "--bounds"), _float(high, "--bounds"), (), fill))
    for name, text in _pairs(values, "--values"):
        found.append(Column(name, "category", values=tuple(text.split(",")), missing=instead.get(name)))
    found += [Column(name, "open") for name in open_columns]
    check_known(instead, [one.name for one in found], what="column", where="--missing")
    names = [one.name for one in found]
    if len(set(names)) != len(names):
        raise ConfigError("a column is declared twice")
    return {one.name: one for one in found}


def _pairs(texts: tuple[str, ...], option: str) -> list[tuple[str, str]]:
    from hauberk.core.errors import ConfigError

    pairs = [(name, value) for name, _, value in (text.partition("=") for text in texts)]
    for (name, value), text in zip(pairs, texts, strict=True):
        if not name or not value:
            raise ConfigError(f"{option} takes NAME=…, got '{text}'")
    return pairs


def _float(text: str, option: str) -> float:
    from hauberk.core.errors import ConfigError

    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{option}: '{text}' is not a number") from None
