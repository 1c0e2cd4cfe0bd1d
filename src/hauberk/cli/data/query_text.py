"""An answer to a private query, and a budget, as a person reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hauberk.privacy.queries import Budget


def show(figures: Any, rows: Any, threshold: int | None) -> None:
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


def amount(said: Any) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in said.items())


def show_budget(one: Budget) -> None:
    click.echo(f"{one.dataset}, for {one.unit}")
    for what, said in (("budget", one.budget), ("spent", one.spent), ("left", one.left)):
        click.echo(f"  {what:7} {amount(said)}")
    for who in one.people:
        most = "" if who.budget is None else f" of {amount(who.budget)}"
        click.echo(f"  {who.name}: {amount(who.spent)}{most}")
    for asked in one.last:
        lost = "" if asked.answered else " (paid, and never answered)"
        click.echo(f"  {asked.asked}  {asked.asker}  {amount(asked.price)}  {asked.question}{lost}")


def budget_json(one: Budget) -> dict[str, Any]:
    return {
        "dataset": one.dataset,
        "unit": one.unit,
        "budget": dict(one.budget),
        "spent": dict(one.spent),
        "left": dict(one.left),
        "askers": {who.name: dict(who.spent) for who in one.people if any(who.spent.values())},
        "shares": {who.name: dict(who.budget) for who in one.people if who.budget is not None},
        "last": [
            {
                "asked": asked.asked,
                "asker": asked.asker,
                "question": asked.question,
                "price": dict(asked.price),
                "answered": asked.answered,
            }
            for asked in one.last
        ],
    }
