"""Tables for the terminal, as text."""

from __future__ import annotations

import io
from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from hauberk.cli.common import percent
from hauberk.core.evidence import Evidence

_WIDTH = 100


def _text(table: Table) -> str:
    out = io.StringIO()
    Console(file=out, width=_WIDTH, no_color=True).print(table)
    return out.getvalue()


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def evaluation_table(evaluation: Evidence) -> str:
    """One model: what each attack did, and the worst case."""
    result = evaluation.result
    threat = evaluation.parameters["threat"]
    table = _table("attack", "given", "broke", "alone", "left after", "seconds")
    for row in result["attacks"]:
        table.add_row(
            row["name"],
            str(row["attacked"]),
            str(row["broke"]),
            percent(row["alone_accuracy"]),
            percent(row["robust_after"]),
            f"{row['seconds']:.1f}",
        )
    low, high = result["robust_interval"]
    lines = [
        _text(table),
        f"clean accuracy  {result['clean_accuracy']:6.1%}  on {result['samples']} images",
        f"worst case      {result['robust_accuracy']:6.1%}  [{low:.1%}, {high:.1%}] at {threat['norm']} "
        f"{threat['eps']:g}",
    ]
    lines += [f"{flag['code']}: {flag['message']}" for flag in result["flags"]]
    return "\n".join(lines) + "\n"


def story_table(evaluations: Mapping[str, Evidence]) -> str:
    """All models of a run: clean, under each attack alone, worst case."""
    first = next(iter(evaluations.values()))
    threat = first.parameters["threat"]
    alone = {
        model: {
            row["name"]: row["alone_accuracy"]
            for row in one.result["attacks"]
            if row["alone_accuracy"] is not None
        }
        for model, one in evaluations.items()
    }
    columns = list(dict.fromkeys(name for figures in alone.values() for name in figures))
    # the figures of every model first, then those of samples carried over from another
    columns.sort(key=lambda name: " on " in name)
    table = _table("model", "clean", *columns, "worst case", "95 % interval")
    for model, evaluation in evaluations.items():
        result = evaluation.result
        low, high = result["robust_interval"]
        table.add_row(
            model,
            percent(result["clean_accuracy"]),
            *(percent(alone[model].get(name)) for name in columns),
            percent(result["robust_accuracy"]),
            f"{low:.1%} – {high:.1%}",
        )
    head = f"accuracy on {first.result['samples']} test images, {threat['norm']} radius {threat['eps']:g}\n"
    return head + _text(table)
