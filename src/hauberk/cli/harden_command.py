from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.defenses import Defense, TrainingDefense


@click.command(
    "harden",
    epilog="Example: hauberk harden models/plain --data mnist --method pgd --eps 0.3 --out models/hard",
)
@common.package_argument
@common.data_option
@click.option("--method", default="pgd", show_default=True, metavar="NAME", help="See docs/defences.md.")
@click.option("--norm", default="linf", show_default=True, metavar="NORM", help="linf, l2, l1 or l0.")
@click.option(
    "--eps", type=float, default=None, metavar="E",
    help="Radius to prepare for, in the model's own input scale; some methods prepare for none.",
)  # fmt: skip
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
    eps: float | None,
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
    ball = geometry(norm, 1.0 if eps is None else eps)  # which refuses a norm that there is not
    threat = None if eps is None else ball
    given = common.add_options(common.parse_settings(settings), epochs=epochs)
    plan, own = common.split_settings(given, TrainingPlan)
    defense = defenses.make(method, plan=plan, **own)
    if threat is None and defense.needs_threat:
        raise ConfigError(
            f"method {method} prepares for attacks of a certain radius: it needs --eps",
            hint="--eps 0.3, in the model's own input scale",
        )
    team = compute.trainers(workers)
    fit = defense.fit if team is None else functools.partial(_shared(defense).fit_together, team)
    if eps is not None and not defense.needs_threat:
        common.say(f"hint: method {method} looks at no threat: --eps {eps:g} changes nothing")
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
    what = f"{method} at {norm} {eps:g}" if defense.needs_threat else method
    test = datasets.load(data, split="test")
    common.show_trained(hardened, written, test, as_json, what)
    if not as_json:
        radius = "E" if eps is None else f"{eps:g}"
        common.say(f"measure it: hauberk evaluate {out} --data {data} --norm {norm} --eps {radius}")


def _shared(defense: Defense) -> TrainingDefense:
    """The defence as one that several workers learn together, or an error that says which are."""
    from hauberk import defenses
    from hauberk.core.errors import ConfigError

    kinds = {
        name: one
        for name, one in defenses.DEFENSES.items()
        if issubclass(one, defenses.TrainingDefense) and one.shares()
    }
    if isinstance(defense, defenses.TrainingDefense) and defense.name in kinds:
        return defense
    why = "learns in several steps, which workers cannot share" if defense.learns else "does not train"
    raise ConfigError(
        f"method {defense.name} {why}: --workers does not belong to it",
        hint=f"it goes with {', '.join(kinds)}",
    )
