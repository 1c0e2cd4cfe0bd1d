"""A recipe: data, threat, models, evaluation and report, declared in one TOML file.

    title = "…"
    seed = 0
    out = "runs/mine"

    [data]
    name = "digits"
    test_samples = 300            # all when left out

    [threat]
    norm = "linf"
    eps = 0.2

    [[model]]
    name = "undefended"
    train = { arch = "cnn", epochs = 10 }

    [[model]]
    name = "hardened"
    from = "undefended"
    harden = { method = "pgd", epochs = 20, steps = 5 }

    [evaluation]
    alone = [{ attack = "fgsm" }, { attack = "pgd", steps = 40, restarts = 5 }]
    carried = [{ attack = "fgsm" }]   # made on the model that a hardened one comes from
    curve = true

    [report]
    lang = ["en", "zh"]

Every key is checked; a misspelt one is refused with the nearest right one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from hauberk.attacks import Attack
from hauberk.attacks import make as make_attack
from hauberk.core.errors import ConfigError, HauberkError, check_known
from hauberk.core.files import read_bytes
from hauberk.datasets import NAMES as DATA_NAMES
from hauberk.defenses import Defense
from hauberk.defenses import make as make_defense
from hauberk.models import ARCHITECTURES
from hauberk.models.training import TrainingPlan
from hauberk.threats import ThreatModel, geometry

_TAKEN = ("evidence", "pictures", "run.json")  # what else lies in a run's folder
_PLAN_KEYS = tuple(one.name for one in fields(TrainingPlan))


@dataclass(frozen=True)
class TrainSpec:
    """A model trained from scratch on clean images."""

    arch: str
    args: Mapping[str, Any]
    plan: TrainingPlan
    held_out: int


@dataclass(frozen=True)
class ModelSpec:
    """One model of the run: trained, or hardened from an earlier one."""

    name: str
    train: TrainSpec | None
    parent: str | None
    harden: Defense | None


@dataclass(frozen=True)
class Recipe:
    """A checked recipe.

    Args:
        train_samples, test_samples, curve_samples: the first so many; None takes all.
        alone: attacks that get a figure of their own.
        carried: attacks on the model that a hardened one comes from, whose candidates are tried on it.
        curve: the radii; True for evenly spaced ones around the threat's, False for no curve.
    """

    title: str
    seed: int
    out: str
    data: str
    train_samples: int | None
    test_samples: int | None
    threat: ThreatModel
    models: tuple[ModelSpec, ...]
    alone: tuple[Attack, ...]
    carried: tuple[Attack, ...]
    curve: tuple[float, ...] | bool
    curve_samples: int | None
    langs: tuple[Literal["en", "zh"], ...]


def load(path: str | Path) -> Recipe:
    """Read a recipe file.

    Raises:
        DataError: no such file.
        ConfigError: not TOML, a key or value that cannot be right; the message names file and section.
    """
    data = read_bytes(path, what="recipe")
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    return parse(document, where=str(path))


def parse(document: Mapping[str, Any], *, where: str) -> Recipe:
    """Check a parsed recipe; see the module's example for its keys."""
    reader = _Reader(where)
    reader.known(
        document, ("title", "seed", "out", "data", "threat", "model", "evaluation", "report"), "the top"
    )
    data = reader.table(document, "data", ("name", "train_samples", "test_samples"))
    threat = reader.table(document, "threat", ("norm", "eps"))
    evaluation = reader.table(
        document, "evaluation", ("alone", "carried", "curve", "curve_samples"), optional=True
    )
    report = reader.table(document, "report", ("lang",), optional=True)
    norm = reader.value(threat, "norm", str, "[threat]", "linf")
    name = reader.value(data, "name", str, "[data]")
    check_known([name], DATA_NAMES, what="data set", where=f"{where}, [data]")
    models = document.get("model")
    if not isinstance(models, list) or not models:
        raise ConfigError(f"{where} declares no [[model]]")
    specs: list[ModelSpec] = []
    for table in models:
        specs.append(_model(reader, table, [one.name for one in specs]))
    seed = reader.value(document, "seed", int, "the top", 0)
    if not 0 <= seed < 2**53:
        raise ConfigError(f"{where}: seed must lie between 0 and 2**53, got {seed}")
    langs = report.get("lang", ["en"])
    langs = [langs] if isinstance(langs, str) else langs
    if not isinstance(langs, list) or not langs or any(langs.count(one) > 1 for one in langs):
        raise ConfigError(f"{where}, [report]: 'lang' lists each language once, got {langs!r}")
    check_known(langs, ("en", "zh"), what="language", where=f"{where}, [report]")
    curve_samples = reader.value(evaluation, "curve_samples", int, "[evaluation]", None)
    if curve_samples is not None and curve_samples < 1:
        raise ConfigError(f"{where}, [evaluation]: 'curve_samples' must be at least 1, got {curve_samples}")
    return Recipe(
        title=reader.value(document, "title", str, "the top", "Hauberk"),
        seed=seed,
        out=reader.value(document, "out", str, "the top", "runs/run"),
        data=name,
        train_samples=reader.value(data, "train_samples", int, "[data]", None),
        test_samples=reader.value(data, "test_samples", int, "[data]", None),
        threat=reader.within(
            "[threat]",
            lambda: ThreatModel(
                geometry(
                    norm,
                    reader.value(threat, "eps", (int, float), "[threat]"),
                )
            ),
        ),
        models=tuple(specs),
        alone=_attacks(reader, evaluation, "alone"),
        carried=_attacks(reader, evaluation, "carried"),
        curve=_curve(reader, evaluation.get("curve", True), norm),
        curve_samples=curve_samples,
        langs=tuple(langs),
    )


def _curve(reader: _Reader, curve: Any, norm: str) -> tuple[float, ...] | bool:
    if isinstance(curve, bool):
        return curve
    if not isinstance(curve, list) or not curve:
        raise ConfigError(
            f"{reader.where}, [evaluation]: 'curve' is true, false or a list of radii, got {curve!r}"
        )
    for eps in curve:
        if eps != 0:  # the clean accuracy
            reader.within("[evaluation], curve", lambda eps=eps: geometry(norm, eps))
    return tuple(float(eps) for eps in curve)


class _Reader:
    """Typed look-ups whose errors say where."""

    def __init__(self, where: str) -> None:
        self.where = where

    def known(self, table: Mapping[str, Any], keys: tuple[str, ...], section: str) -> None:
        check_known(table, keys, what="key", where=f"{self.where}, {section}")

    def dictionary(self, value: Any, section: str) -> None:
        if not isinstance(value, dict):
            raise ConfigError(
                f"{self.where}, {section} must be a table such as {{ key = value }}, got {value!r}"
            )

    def table(
        self, document: Mapping[str, Any], name: str, keys: tuple[str, ...], *, optional: bool = False
    ) -> Mapping[str, Any]:
        table = document.get(name, {} if optional else None)
        if not isinstance(table, dict):
            raise ConfigError(f"{self.where} lacks the section [{name}]")
        self.known(table, keys, f"[{name}]")
        return table

    def value(
        self,
        table: Mapping[str, Any],
        key: str,
        kind: type | tuple[type, ...],
        section: str,
        default: Any = ...,
    ) -> Any:
        if key not in table:
            if default is ...:
                raise ConfigError(f"{self.where}, {section} lacks '{key}'")
            return default
        value = table[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigError(f"{self.where}, {section}: '{key}' has the wrong type: {value!r}")
        return value

    def within(self, section: str, make: Any) -> Any:
        """Run ``make`` and say in which section it failed."""
        try:
            return make()
        except HauberkError as error:
            if str(error).startswith(self.where):
                raise
            raise type(error)(f"{self.where}, {section}: {error}", hint=error.hint) from error


def _model(reader: _Reader, table: Any, earlier: list[str]) -> ModelSpec:
    if not isinstance(table, dict):
        raise ConfigError(f"{reader.where}: [[model]] must be a table")
    reader.known(table, ("name", "train", "from", "harden"), "[[model]]")
    name = reader.value(table, "name", str, "[[model]]")
    section = f"model '{name}'"
    if not name or any(not (letter.isalnum() or letter in "-_.") for letter in name) or name.startswith("."):
        raise ConfigError(
            f"{reader.where}: model name '{name}' may hold letters, digits, '-', '_' and '.' only"
        )
    if name in earlier or name in _TAKEN or name.startswith("report."):
        raise ConfigError(f"{reader.where}: the model name '{name}' is taken")
    if ("train" in table) == ("harden" in table):
        raise ConfigError(f"{reader.where}, {section} needs either train or harden")
    if "train" in table:
        if "from" in table:
            raise ConfigError(f"{reader.where}, {section}: 'from' goes with harden")
        return ModelSpec(name, _train(reader, table["train"], section), None, None)
    parent = reader.value(table, "from", str, section)
    if not earlier:
        raise ConfigError(f"{reader.where}, {section}: there is no earlier model to start from")
    check_known([parent], earlier, what="model", where=f"{reader.where}, {section}, from")
    return ModelSpec(name, None, parent, _harden(reader, table["harden"], section))


def _plan(reader: _Reader, table: Mapping[str, Any], base: TrainingPlan, section: str) -> TrainingPlan:
    given = {key: table[key] for key in _PLAN_KEYS if key in table}
    plan: TrainingPlan = reader.within(section, lambda: replace(base, **given))
    return plan


def _train(reader: _Reader, table: Any, section: str) -> TrainSpec:
    reader.dictionary(table, f"{section}, train")
    reader.known(table, ("arch", "args", "held_out", *_PLAN_KEYS), f"{section}, train")
    arch = reader.value(table, "arch", str, section, "cnn")
    check_known([arch], ARCHITECTURES, what="architecture", where=f"{reader.where}, {section}")
    args = table.get("args", {})
    reader.dictionary(args, f"{section}, train, args")
    return TrainSpec(
        arch,
        args,
        _plan(reader, table, TrainingPlan(), section),
        reader.value(table, "held_out", int, section, 0),
    )


def _harden(reader: _Reader, table: Any, section: str) -> Defense:
    reader.dictionary(table, f"{section}, harden")
    settings = {key: value for key, value in table.items() if key not in (*_PLAN_KEYS, "method")}
    method = reader.value(table, "method", str, f"{section}, harden")
    plan = {key: table[key] for key in _PLAN_KEYS if key in table}
    made: Defense = reader.within(section, lambda: make_defense(method, plan=plan, **settings))
    return made


def _attacks(reader: _Reader, evaluation: Mapping[str, Any], key: str) -> tuple[Attack, ...]:
    tables = evaluation.get(key, [])
    if not isinstance(tables, list):
        raise ConfigError(f"{reader.where}, [evaluation]: '{key}' is a list of attacks, got {tables!r}")
    return tuple(_attack(reader, table) for table in tables)


def _attack(reader: _Reader, table: Any) -> Attack:
    if not isinstance(table, dict) or "attack" not in table:
        raise ConfigError(
            f'{reader.where}, [evaluation]: an attack is written {{ attack = "pgd", steps = 40 }}'
        )
    settings = {key: value for key, value in table.items() if key != "attack"}
    made: Attack = reader.within("[evaluation]", lambda: make_attack(table["attack"], **settings))
    return made
