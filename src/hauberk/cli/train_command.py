from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import common, keys

if TYPE_CHECKING:
    from hauberk.datasets import Dataset
    from hauberk.models import Classifier
    from hauberk.privacy.training import PrivateTraining


@click.command("train", epilog="Example: hauberk train --data mnist --arch cnn --epochs 5 --out models/plain")
@click.option(
    "--data",
    required=True,
    metavar="NAME|FILE",
    help="digits, mnist, fashion, cifar10-jpeg, or with --identity a sealed file.",
)
@click.option(
    "--identity", "identities", multiple=True, metavar="KEY", type=click.Path(path_type=Path),
    help="A key that opens sealed --data; it is decrypted in memory alone.",
)  # fmt: skip
@click.option("--arch", default="cnn", show_default=True, metavar="NAME", help="A built-in architecture.")
@click.option("--epochs", type=int, default=None, help="[default: 5; private: 40]")
@click.option("--batch-size", type=int, default=None, help="[default: 128; private: an eighth of the data]")
@click.option("--optimizer", default=None, help="adam, adamw or sgd  [default: adam; private: sgd]")
@click.option("--learning-rate", type=float, default=None, help="[default: 0.001; private: 1.5]")
@click.option("--schedule", default=None, help="constant, cosine or one-cycle  [default: constant]")
@click.option(
    "--samples", type=int, default=None, metavar="N", help="The first N training images [default: all]."
)
@click.option(
    "--held-out", type=int, default=0, show_default=True, help="Images kept aside to choose the epoch."
)
@click.option(
    "--private", is_flag=True, help="Keep every example private: DP-SGD; see docs/private-training.md."
)
@click.option("--epsilon", type=float, default=None, metavar="E", help="Private: the budget, such as 3.")
@click.option("--delta", type=float, default=None, metavar="D", help="Private: below 1/images, such as 1e-5.")
@click.option("--clip", type=float, default=None, metavar="C", help="Private: norm of a gradient [default: 1].")
@click.option(
    "--audit", type=int, default=None, metavar="N",
    help="Private: put N canaries in by chance and test the claim on them.",
)  # fmt: skip
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE",
    help="An argument of the architecture; private: also of the training and its plan.",
)  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The package to write.")
@common.force_option
@common.trainers_option
@common.seed_option
@common.device_option
@common.json_option
def command(
    data: str,
    identities: tuple[Path, ...],
    arch: str,
    epochs: int | None,
    batch_size: int | None,
    optimizer: str | None,
    learning_rate: float | None,
    schedule: str | None,
    samples: int | None,
    held_out: int,
    private: bool,
    epsilon: float | None,
    delta: float | None,
    clip: float | None,
    audit: int | None,
    settings: tuple[str, ...],
    out: Path,
    force: bool,
    workers: str,
    seed: int,
    device: str,
    as_json: bool,
) -> int:
    """Train a built-in network on clean images and write a model package.

    With --private nobody can tell from the package, up to the budget, whether one image was in the data.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import refuse_overwrite
    from hauberk.models import create, save

    refuse_overwrite(out, force=force)
    whole, test = (_data(data, identities, split) for split in ("train", "test"))
    learning = whole.head(samples)
    plan = common.add_options(
        {}, epochs=epochs, batch_size=batch_size, optimizer=optimizer, learning_rate=learning_rate,
        schedule=schedule,
    )  # fmt: skip
    budget = common.add_options({}, epsilon=epsilon, delta=delta, clip=clip)
    arguments = common.parse_settings(settings)
    if private:
        if held_out or workers != "1":
            raise ConfigError(
                f"{'--held-out' if held_out else '--workers'} does not go with --private",
                hint="an epoch chosen by people held out tells of them; one process draws the batches",
            )
        trainer, arguments = _private(learning, plan, budget, arguments)
    elif budget or audit is not None:
        raise ConfigError(f"--{next(iter(budget), 'audit')} belongs to --private")
    blank = create(arch, whole.head(1), seed=seed, args=arguments).to(common.check_device(device))
    if private:
        trained, exit_code = _train_privately(trainer, blank.eval(), learning, audit, seed, out)
    else:
        trained, exit_code = _train(blank.eval(), learning, plan, held_out, workers, seed, out.name), 0
    package = save(trained, out, overwrite=force)
    common.show_trained(trained, package, test, as_json, f"{arch} on {learning.name}")
    return exit_code


def _data(name: str, identities: tuple[Path, ...], split: str) -> Dataset:
    """A data set by its name, or from a sealed file."""
    from hauberk import datasets

    if not identities:
        return datasets.load(name, split=split)
    from hauberk.privacy.stored import SealedDataset

    with SealedDataset(name, keys.identities_of(identities, False, None), split=split) as sealed:
        return sealed.load()


def _train(
    blank: Classifier,
    learning: Dataset,
    plan: dict[str, Any],
    held_out: int,
    workers: str,
    seed: int,
    name: str,
) -> Classifier:
    from hauberk import compute
    from hauberk.models.training import TrainingPlan, train

    kept = None
    if held_out:
        learning, kept = learning.split(held_out)
    return train(
        blank, learning, TrainingPlan(**plan), held_out=kept, seed=seed, name=name,
        workers=compute.trainers(workers), progress=common.Bars(),
    )  # fmt: skip


def _private(
    learning: Dataset, plan: dict[str, Any], budget: dict[str, Any], settings: dict[str, Any]
) -> tuple[PrivateTraining, dict[str, Any]]:
    """The trainer, and the settings that are left for the architecture."""
    from dataclasses import replace

    from hauberk.core.errors import ConfigError
    from hauberk.models.training import TrainingPlan
    from hauberk.privacy.training import PrivateTraining, suggested_plan

    for name in ("epsilon", "delta"):
        if name not in budget:
            raise ConfigError(f"--private needs --{name}", hint="--epsilon 3 --delta 1e-5")
    own, settings = common.split_settings(settings, PrivateTraining)
    further, settings = common.split_settings(settings, TrainingPlan)
    plan = common.add_options(further, **plan)
    if plan.get("optimizer", "sgd") != "sgd":
        plan.setdefault("learning_rate", TrainingPlan.learning_rate)  # the suggested one is for sgd
    made = common.add_options(own, plan=replace(suggested_plan(len(learning)), **plan), **budget)
    return PrivateTraining(**made), settings


def _train_privately(
    trainer: PrivateTraining, blank: Classifier, learning: Dataset, audit: int | None, seed: int, out: Path
) -> tuple[Classifier, int]:
    """The classifier, and 1 where an audit refutes what it claims."""
    from hauberk.evaluation.privacy_audit import audit_training

    def fit(data: Dataset) -> Classifier:
        return trainer.fit(blank, data, seed=seed, name=out.name, progress=common.Bars())

    if audit is None:
        return fit(learning), 0
    report = audit_training(
        fit, learning, epsilon=trainer.epsilon, delta=trainer.delta, canaries=audit, name=out.name
    )
    common.keep(report.evidence, common.evidence_folder(out, None), out)
    verdict = "the claim stands" if report.holds else "THE CLAIM IS REFUTED"
    common.say(f"audit: epsilon is at least {report.lower_bound:.3f} with 95 % confidence; {verdict}")
    return report.classifier, 0 if report.holds else 1
