from __future__ import annotations

import shlex
from pathlib import Path
from typing import Literal

import click

from hauberk.cli import common
from hauberk.cli.run_command import carry_out

_DEFAULT_OUT = Path("runs/quickstart")


@click.command("quickstart", epilog="Example: hauberk quickstart --out runs/first")
@click.option("--out", type=click.Path(path_type=Path), default=_DEFAULT_OUT, show_default=True, metavar="DIR")
@click.option(
    "--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Of report.html."
)
@common.seed_option
@common.device_option
@common.json_option
def command(out: Path, lang: Literal["en", "zh"], seed: int, device: str, as_json: bool) -> None:
    """Train, attack, harden, measure and report on embedded handwritten digits, in under a minute."""
    from dataclasses import replace

    from hauberk import recipes

    recipe = recipes.quickstart()
    langs = (lang, *(one for one in recipe.langs if one != lang))
    common.say(f"results go to {out}")
    words = ["hauberk", "quickstart", "--out", str(out), "--seed", str(seed)]
    words += ["--lang", lang] if lang != "en" else []
    words += ["--device", device] if device != "cpu" else []
    carry_out(replace(recipe, seed=seed, langs=langs), out, device, as_json, shlex.join(words))
