"""Recipes: a whole run declared in one TOML file, resumable, with a report at its end."""

from __future__ import annotations

import tomllib
from importlib import resources

from hauberk.recipes.recipe import Recipe, load, parse
from hauberk.recipes.run import RunResult, run


def quickstart() -> Recipe:
    """The recipe behind ``hauberk quickstart``: embedded digits, about half a minute on two cores."""
    text = resources.files(__package__).joinpath("quickstart.toml").read_text("utf-8")
    return parse(tomllib.loads(text), where="quickstart.toml")


__all__ = ["Recipe", "RunResult", "load", "parse", "quickstart", "run"]
