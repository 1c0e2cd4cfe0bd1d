from __future__ import annotations

import shlex
from pathlib import Path

import click

from hauberk.cli import common


@click.command("run", epilog="Example: hauberk run examples/mnist.toml --out runs/mnist")
@click.argument("recipe", metavar="RECIPE", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, metavar="DIR", help="[default: the recipe's own]"
)
@click.option("--seed", type=common.SEED, default=None, help="In place of the recipe's own.")
@common.device_option
@common.json_option
def command(recipe: Path, out: Path | None, seed: int | None, device: str, as_json: bool) -> None:
    """Carry out a recipe. Stopped runs go on where they stopped when called again."""
    from dataclasses import replace

    from hauberk import recipes

    loaded = recipes.load(recipe)
    if seed is not None:
        loaded = replace(loaded, seed=seed)
    words = ["hauberk", "run", str(recipe), *(["--out", str(out)] if out else [])]
    words += ["--seed", str(seed)] if seed is not None else []
    words += ["--device", device] if device != "cpu" else []
    carry_out(loaded, out, device, as_json, shlex.join(words))


def carry_out(recipe: object, out: Path | None, device: str, as_json: bool, command_line: str) -> None:
    """Run a recipe and show what came of it."""
    from hauberk import recipes
    from hauberk.cli.tables import story_table

    assert isinstance(recipe, recipes.Recipe)
    result = recipes.run(
        recipe, out=out, device=common.check_device(device), command=command_line, progress=common.Bars()
    )
    if result.skipped:
        common.say(f"{result.skipped} finished stages of an earlier run were kept")
    evaluations = result.evaluations()
    if as_json:
        common.print_json(
            {
                "out": str(result.folder),
                "packages": {name: str(path) for name, path in result.packages.items()},
                "reports": [str(path) for path in result.reports],
                "seconds": round(result.seconds, 3),
                "models": {
                    name: {
                        key: one.result[key]
                        for key in ("samples", "clean_accuracy", "robust_accuracy", "robust_interval")
                    }
                    for name, one in evaluations.items()
                },
            }
        )
        return
    click.echo(story_table(evaluations))
    for name, path in result.packages.items():
        click.echo(f"{name + ':':14} {path}")
    click.echo(f"{'evidence:':14} {result.folder / 'evidence'}")
    click.echo(f"{'report:':14} {result.reports[0]}")
    common.say(f"done in {result.seconds:.0f} s")
