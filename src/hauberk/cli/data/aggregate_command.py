from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hauberk.cli import common
from hauberk.cli.data.reading import table_options
from hauberk.core.errors import ConfigError

_PATH: Any = click.Path(path_type=Path)


@click.command(
    "aggregate",
    epilog="Example: hauberk data aggregate visits.csv --by ward --by diagnosis --min-count 5 --out counts.csv",
)
@click.argument("table", metavar="IN", type=_PATH)
@click.option("--by", multiple=True, required=True, metavar="COL", help="A column to group by; repeatable.")
@click.option("--out", required=True, metavar="OUT", type=_PATH, help="CSV, or Parquet by its name.")
@click.option("--min-count", type=int, default=5, show_default=True, help="Smaller groups are not published.")
@click.option("--sum", "summed", default=None, metavar="COL", help="Publish its sums beside the counts.")
@click.option(
    "--dominance",
    default=None,
    metavar="N:SHARE",
    help="Hide sums of which the N largest parts are more than SHARE.",
)
@click.option(
    "--p-percent",
    type=float,
    default=None,
    metavar="SHARE",
    help="Hide sums whose largest part the second could work out to within SHARE.",
)
@click.option(
    "--width", type=float, default=None, help="How unsure a hidden count must stay [default: --min-count]."
)
@click.option(
    "--sum-width",
    type=float,
    default=0.2,
    show_default=True,
    help="The same of a hidden sum, as a share of it.",
)
@table_options
@common.record_option("OUT")
@common.json_option
def command(
    table: Path,
    by: tuple[str, ...],
    out: Path,
    min_count: int,
    summed: str | None,
    dominance: str | None,
    p_percent: float | None,
    width: float | None,
    sum_width: float,
    encoding: str | None,
    delimiter: str | None,
    force: bool,
    evidence: Path | None,
    as_json: bool,
) -> None:
    """Count rows by groups, with all totals, and hide what would tell about a few people.

    Small groups are left empty, and as many others as it takes that no hidden one can be worked out from the
    totals, which is checked by linear programming. Exit code 1: that cannot be had, and nothing was written.
    """
    from hauberk.privacy.tables.aggregate import AggregatePlan, run
    from hauberk.privacy.tables.aggregate.suppression import Rules

    rules = Rules(min_count=min_count, dominance=_dominance(dominance), p_percent=p_percent)
    plan = AggregatePlan(by=by, rules=rules, sum=summed, width=width, sum_width=sum_width)
    _, record = run(table, out, plan, encoding=encoding, delimiter=delimiter, force=force)
    result = record.result
    if as_json:
        common.print_json({"file": str(out), "digest": record.subject["digest"], **result})
    else:
        hidden = f"{result['suppressed']} of {result['cells']} cells are hidden"
        click.echo(f"{out}: {hidden}, {result['too_telling']} of them for their own sake")
        if result["narrowest"] is not None:
            click.echo(f"no hidden count can be known more closely than to within {result['narrowest']:g}")
    common.keep(record, common.evidence_folder(out, evidence), out)


def _dominance(text: str | None) -> tuple[int, float] | None:
    if text is None:
        return None
    number, colon, share = text.partition(":")
    try:
        if colon:
            return int(number), float(share)
    except ValueError:
        pass
    raise ConfigError(f"--dominance takes N:SHARE, such as 1:0.75, got '{text}'")
