from __future__ import annotations

import functools
from pathlib import Path

import click

from hauberk.cli import common


@click.command(
    "harden",
    epilog="Example: hauberk harden models/plain --data mnist --method pgd --eps 0.3 --out models/hard",
)
@common.package_argument
@common.data_option
@click.option("--method", default="pgd", show_default=True, metavar="NAME", help="See docs/defences.md.")
@common.threat_options
@click.option("--epochs", type=int, default=None, metavar="N", help="[default: the method's own]")
@click.option(
    "--samples", type=int, default=None, metavar="N", help="The first N training images [default: all]."
)
@common.set_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The package to write.")
@common.force_option
@common.trainers_option
@common.seed_option
@common.device_option
@common.json_option
def command(
    package: Path,
    data: str,
    method: str,
    norm: str,
    eps: float,
    epochs: int | None,
    samples: int | None,
    settings: tuple[str, ...],
    out: Path,
    force: bool,
    workers: str,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Make a hardened copy of a model package.

    --set takes settings of the method (steps=7, warmup=0.3, fresh=true) and of its training plan
    (batch_size=64, learning_rate=0.002, averaging=0.998).
    """
    from hauberk import compute, datasets, defenses
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import refuse_overwrite
    from hauberk.models import Classifier, load, save
    from hauberk.models.training import TrainingDiverged, TrainingPlan
    from hauberk.threats import geometry

    refuse_overwrite(out, force=force)
    threat = geometry(norm, eps)
    given = common.add_options(common.parse_settings(settings), epochs=epochs)
    plan, own = common.split_settings(given, TrainingPlan)
    defense = defenses.make(method, plan=plan, **own)
    team = compute.trainers(workers)
    fit = defense.fit
    if team is not None:
        if not isinstance(defense, defenses.TrainingDefense):
            raise ConfigError(f"method {method} does not train: --workers does not belong to it")
        fit = functools.partial(defense.fit_together, team)
    model = load(package, device=common.check_device(device))
    learning = datasets.load(data).head(samples)
    try:
        hardened = fit(model, learning, threat, seed=seed, name=out.name, progress=common.Bars())
    except TrainingDiverged as error:
        good = error.facts["last_good"]
        if isinstance(good, Classifier):
            save(good, out, overwrite=force)
            common.say(
                f"{out} holds the model as epoch {good.evidence[-1].result['history'][-1]['epoch']} left it"
            )
        raise
    written = save(hardened, out, overwrite=force)
    common.show_trained(hardened, written, data, as_json, f"{method} at {norm} {eps:g}")
    if not as_json:
        common.say(f"measure it: hauberk evaluate {out} --data {data} --norm {norm} --eps {eps:g}")
