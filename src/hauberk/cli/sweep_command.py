from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hauberk.cli import common

_OVER = ("pruning", "quantisation", "epochs", "samples")
_X = {"pruning": "sparsity", "quantisation": "bits", "epochs": "epochs", "samples": "images"}


@click.command(
    "sweep",
    epilog="Example: hauberk sweep models/hard --data mnist --over quantisation --eps 0.3 --samples 200",
)
@common.package_argument
@common.data_option
@click.option("--over", type=click.Choice(_OVER), required=True,
              help="Zero small weights, round weights to fewer bits, or train anew for more epochs or on more "
              "images.")  # fmt: skip
@click.option("--at", "values", multiple=True, type=float, metavar="X",
              help="Where to measure; repeatable [default: a spread].")  # fmt: skip
@common.threat_options
@click.option("--attack", "attack_name", default=None, metavar="NAME",
              help="[default: PGD on the margin, 40 steps]")  # fmt: skip
@common.samples_option
@click.option("--train-samples", type=int, default=None, metavar="N",
              help="The first N training images, for epochs and samples [default: all].")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="A setting of the training plan, for epochs and samples; repeatable.")  # fmt: skip
@common.evidence_option
@common.seed_option
@common.device_option
@common.json_option
def command(
    package: Path,
    data: str,
    over: str,
    values: tuple[float, ...],
    norm: str,
    eps: float,
    attack_name: str | None,
    samples: int | None,
    train_samples: int | None,
    settings: tuple[str, ...],
    evidence: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Measure what pruning, fewer bits, or under- and over-fitting do to a model's robustness."""
    from hauberk import attacks, datasets
    from hauberk.core.errors import ConfigError
    from hauberk.core.settings import check_settings
    from hauberk.evaluation.curves import DEFAULT_ATTACK
    from hauberk.evaluation.sweeps import sweep
    from hauberk.models import load
    from hauberk.models.training import TrainingPlan
    from hauberk.threats import geometry

    learning = over in ("epochs", "samples")
    given = common.parse_settings(settings)
    if not learning and (given or train_samples is not None):
        raise ConfigError(f"a sweep over {over} does not train: leave out --set and --train-samples")
    check_settings(TrainingPlan, given, where="the training plan")
    threat = geometry(norm, eps)
    attack = attacks.make(attack_name) if attack_name else DEFAULT_ATTACK
    model = load(package, device=common.check_device(device))
    document = sweep(
        model, datasets.load(data, split="test").head(samples), threat,
        over=over,  # type: ignore[arg-type]
        values=_whole(values) or None,
        learn_from=datasets.load(data).head(train_samples) if learning else None,
        plan=TrainingPlan(**{"epochs": 8, **given}) if learning else None,
        attack=attack, seed=seed, name=package.resolve().name, progress=common.Bars(),
    )  # fmt: skip
    common.keep(document, common.evidence_folder(package, evidence), package)
    if as_json:
        common.print_measured(document, *document.parameters)
    else:
        click.echo(_table(document.result, over, f"{norm} {eps:g}"))


def _whole(values: tuple[float, ...]) -> list[float]:
    """Whole numbers as such: bits, epochs and images are counted."""
    return [int(one) if one.is_integer() and one >= 1 else one for one in values]


def _table(result: Mapping[str, Any], over: str, threat: str) -> str:
    trained = "train_accuracy" in result["points"][0]
    lines = [
        f"{_X[over]:>9}{'clean':>9}{'under attack':>14}   95 % interval"
        + ("    on its own data" if trained else "")
    ]
    for point in result["points"]:
        low, high = point["robust_interval"]
        own = f"{common.percent(point['train_accuracy']):>14}" if trained else ""
        lines.append(
            f"{point['x']:>9g}{common.percent(point['clean_accuracy']):>9}"
            f"{common.percent(point['robust_accuracy']):>14}   {f'{low:.1%} – {high:.1%}':<15}{own}"
        )
    lines.append(f"{result['samples']} images, attacked at {threat}")
    return "\n".join(lines)
