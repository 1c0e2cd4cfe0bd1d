from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common


@click.command("train", epilog="Example: hauberk train --data mnist --arch cnn --epochs 5 --out models/plain")
@common.data_option
@click.option("--arch", default="cnn", show_default=True, metavar="NAME", help="A built-in architecture.")
@click.option("--epochs", type=int, default=5, show_default=True)
@click.option("--batch-size", type=int, default=128, show_default=True)
@click.option("--optimizer", default="adam", show_default=True, help="adam, adamw or sgd.")
@click.option("--learning-rate", type=float, default=1e-3, show_default=True)
@click.option("--schedule", default="constant", show_default=True, help="constant, cosine or one-cycle.")
@click.option(
    "--samples", type=int, default=None, metavar="N", help="The first N training images [default: all]."
)
@click.option(
    "--held-out", type=int, default=0, show_default=True, help="Images kept aside to choose the epoch."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="An argument of the architecture.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The package to write.")
@common.force_option
@common.trainers_option
@common.seed_option
@common.device_option
@common.json_option
def command(
    data: str,
    arch: str,
    epochs: int,
    batch_size: int,
    optimizer: str,
    learning_rate: float,
    schedule: str,
    samples: int | None,
    held_out: int,
    settings: tuple[str, ...],
    out: Path,
    force: bool,
    workers: str,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Train a built-in network on clean images and write a model package."""
    from hauberk import compute, datasets
    from hauberk.core.files import refuse_overwrite
    from hauberk.models import create, save
    from hauberk.models.training import TrainingPlan, train

    refuse_overwrite(out, force=force)
    plan = TrainingPlan(
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,  # type: ignore[arg-type]
        learning_rate=learning_rate,
        schedule=schedule,  # type: ignore[arg-type]
    )
    team = compute.trainers(workers)
    kept = None
    blank = create(arch, datasets.load(data).head(1), seed=seed, args=common.parse_settings(settings)).to(
        common.check_device(device)
    )
    learning = datasets.load(data).head(samples)
    if held_out:
        learning, kept = learning.split(held_out)
    trained = train(
        blank.eval(), learning, plan, held_out=kept, seed=seed, name=out.name, workers=team,
        progress=common.Bars(),
    )  # fmt: skip
    package = save(trained, out, overwrite=force)
    common.show_trained(trained, package, data, as_json, f"{arch} on {learning.name}")
