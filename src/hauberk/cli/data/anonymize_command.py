from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from hauberk.cli import common
from hauberk.cli.data.reading import table_options
from hauberk.core.errors import ConfigError

_PATH: Any = click.Path(path_type=Path)


@click.command(
    "anonymize",
    epilog="Example: hauberk data anonymize people.csv --out open.csv --quasi age --quasi sex --quasi zip "
    "--hierarchy zip=prefix --sensitive diagnosis --k 10 --l 3",
)
@click.argument("table", metavar="IN", type=_PATH)
@click.option("--out", required=True, metavar="OUT", type=_PATH, help="CSV, or Parquet by its name.")
@click.option("--quasi", multiple=True, metavar="COL", help="What others may know of a person; repeatable.")
@click.option(
    "--hierarchy",
    multiple=True,
    metavar="COL=FILE",
    help="A file of lines value;...;*, or intervals, dates, prefix, flat [default: made to fit].",
)
@click.option("--sensitive", multiple=True, metavar="COL", help="What they must not learn; repeatable.")
@click.option(
    "--keep", multiple=True, metavar="COL", help="Published as it is; all other columns are left out."
)
@click.option("--k", type=int, default=None, help="Rows in every class at least [default: 2].")
@click.option("--l", "l", type=float, default=None, help="Different sensitive values in every class at least.")
@click.option("--l-kind", default=None, metavar="KIND", help="distinct or entropy [default: distinct].")
@click.option("--t", type=float, default=None, help="Farthest from the whole table's sensitive values, 0 to 1.")
@click.option(
    "--t-distance", default=None, metavar="KIND", help="equal, ordered or hierarchical [default: equal]."
)
@click.option(
    "--delta-presence",
    "presence",
    default=None,
    metavar="LOW:HIGH",
    help="Probability of being in the table, for everybody in --population.",
)
@click.option("--population", default=None, metavar="FILE", type=_PATH, help="Everybody who could be in it.")
@click.option(
    "--max-suppressed",
    type=float,
    default=None,
    metavar="SHARE",
    help="Rows that may be left out [default: 0.05].",
)
@click.option("--output", default=None, metavar="KIND", help="hierarchy or sets [default: hierarchy].")
@click.option(
    "--missing",
    default=None,
    metavar="RULE",
    help="Rows with empty cells: refuse or suppress [default: refuse].",
)
@click.option("--config", default=None, metavar="FILE.toml", type=_PATH, help="The same settings as a file.")
@click.option("--target", default=None, metavar="COL", help="Train a model on it, before and after.")
@table_options
@common.seed_option
@common.record_option("OUT")
@common.json_option
def command(
    table: Path,
    out: Path,
    hierarchy: tuple[str, ...],
    presence: str | None,
    population: Path | None,
    config: Path | None,
    target: str | None,
    encoding: str | None,
    delimiter: str | None,
    seed: int,
    force: bool,
    evidence: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Generalise a table until nobody in it stands out, and measure what risk and what use are left.

    Each row is coarsened only as far as it needs (local recoding). Exit code 1: the models cannot be met
    within the suppression limit, and nothing was written.
    """
    from hauberk.privacy.tables import Job, Plan, read_settings, run

    written = {} if config is None else read_settings(config)
    given = {key: value for key, value in settings.items() if value not in (None, ())}
    given |= {} if presence is None else {"presence": _presence(presence)}
    given |= {"hierarchies": _hierarchies(hierarchy)} if hierarchy else {}
    plan = Plan(**{"quasi": (), **_once(written, given)})
    record = run(Job(table, out, population, encoding, delimiter, target, seed, force), plan)
    if as_json:
        common.print_json({"file": str(out), "digest": record.subject["digest"], **record.result})
    else:
        click.echo(_text(out, record.result))
    left_out = record.parameters["left_out"]
    if left_out:
        common.say(f"left out, since no option names them: {', '.join(left_out)}")
    common.keep(record, common.evidence_folder(out, evidence), out)


def _once(written: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    twice = sorted(written.keys() & given.keys())
    if twice:
        raise ConfigError(f"'{twice[0]}' is given twice: as an option and with --config")
    return {**written, **given}


def _presence(text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    try:
        if colon:
            return float(low), float(high)
    except ValueError:
        pass
    raise ConfigError(f"--delta-presence takes LOW:HIGH, such as 0:0.5, got '{text}'")


def _hierarchies(pairs: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, file = pair.rpartition("=")
        if not equals or not name or not file:
            raise ConfigError(f"--hierarchy takes COL=FILE, got '{pair}'")
        if name in found:
            raise ConfigError(f"column '{name}' has two hierarchies")
        found[name] = file
    return found


def _text(out: Path, result: Mapping[str, Any]) -> str:
    before, after, loss = result["before"], result["after"], result["loss"]
    lines = [
        f"{out}: {result['published']} of {result['rows']} rows in {after['classes']} classes",
        f"{'':24}{'before':>10}{'after':>10}",
        f"{'smallest class (k)':24}{before['k']:>10}{after['k']:>10}",
    ]
    for name in after.get("l", {}):
        lines += [
            f"{'l of ' + name:24}{before['l'][name]['distinct']:>10}{after['l'][name]['distinct']:>10}",
            f"{'  by entropy':24}{before['l'][name]['entropy']:>10.2f}{after['l'][name]['entropy']:>10.2f}",
            f"{'t of ' + name:24}{before['t'][name]:>10.3f}{after['t'][name]:>10.3f}",
        ]
    if "presence" in after:
        lines.append(f"{'presence, highest':24}{before['presence'][1]:>10.3f}{after['presence'][1]:>10.3f}")
    for who, what in (("prosecutor", "highest"), ("journalist", "highest"), ("marketer", "average")):
        was, now = before["risk"][who][what], after["risk"][who][what]
        lines.append(f"{who + ', ' + what:24}{was:>10.1%}{now:>10.1%}")
    lines += [
        f"information lost (GCP)  {loss['gcp']:.4f}, rows left out {result['suppressed_share']:.2%}, "
        f"average class {loss['average_class']:.1f}"
    ]
    if "model" in result:
        model = result["model"]
        lines.append(
            f"a model of '{model['target']}'  {model['accuracy_before']:.1%} before, "
            f"{model['accuracy_after']:.1%} after, {model['majority']:.1%} by always saying the same"
        )
    return "\n".join(lines)
