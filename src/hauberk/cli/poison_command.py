from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import common
from hauberk.cli.common import percent

if TYPE_CHECKING:
    from hauberk.attacks.poisoning import Poisoned, Poisoner
    from hauberk.core.evidence import Evidence
    from hauberk.datasets import Dataset
    from hauberk.evaluation.poisoning import PoisoningReport
    from hauberk.models import Classifier
    from hauberk.models.training import TrainingPlan

_DATA = "poisoned.safetensors"


@click.command(
    "poison",
    epilog="Example: hauberk poison --data mnist --method badnets --rate 0.02 --target 7 --out runs/backdoor",
)
@common.data_option
@click.option("--method", required=True, metavar="NAME",
              help="random-flip, class-flip, worst-flip, badnets, blended or clean-label.")  # fmt: skip
@click.option("--rate", type=float, required=True, metavar="R", help="Share of the training data to touch.")
@click.option("--target", type=int, default=None, metavar="CLASS", help="The class to be read.")
@click.option("--source", type=int, default=None, metavar="CLASS", help="The class to be misread.")
@common.set_option
@click.option("--samples", type=int, default=None, metavar="N", help="The first N training images.")
@click.option("--arch", default="cnn", show_default=True, metavar="NAME", help="What learns from the data.")
@click.option("--epochs", type=int, default=None, metavar="N", help="[default: 5]")
@click.option("--no-retrain", is_flag=True, help="Write the data only, measure no damage.")
@click.option("--reference", type=click.Path(path_type=Path), default=None, metavar="PKG",
              help="The attacker's own model (worst-flip, clean-label) [default: one is trained].")  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option("--force", is_flag=True, help="Replace an earlier result at --out.")
@common.seed_option
@common.device_option
@common.json_option
def command(
    data: str,
    method: str,
    rate: float,
    target: int | None,
    source: int | None,
    settings: tuple[str, ...],
    samples: int | None,
    arch: str,
    epochs: int | None,
    no_retrain: bool,
    reference: Path | None,
    out: Path,
    force: bool,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Poison training data, retrain on it, and measure the damage.

    --set takes settings of the method (size=2, corner=top-left, alpha=0.1, eps=0.2) and of the training
    plan (batch_size=64, learning_rate=0.005).
    """
    from hauberk import datasets
    from hauberk.attacks import poisoning
    from hauberk.core.files import directory_aside
    from hauberk.evaluation.poisoning import poisoning_damage
    from hauberk.models import save
    from hauberk.models.training import TrainingPlan

    given = common.add_options(
        common.parse_settings(settings), rate=rate, target=target, source=source, epochs=epochs
    )
    learning, own = common.split_settings(given, TrainingPlan)
    poisoner, plan = poisoning.make(method, **own), TrainingPlan(**learning)
    _check_out(out, force)
    common.check_device(device)
    clean, test = datasets.load(data).head(samples), datasets.load(data, split="test")
    consulted = _reference(poisoner, reference, clean, arch, plan, seed, device)
    poisoned = poisoner(clean, seed=seed, classifier=consulted, progress=common.Bars())
    report = None
    if not no_retrain:
        report = poisoning_damage(
            clean, poisoned, test, architecture=arch, plan=plan, seed=seed, device=device,
            progress=common.Bars(),
        )  # fmt: skip
    with directory_aside(out) as aside:
        poisoned.save(aside / _DATA)
        if report is not None:
            save(report.clean_model, aside / "clean")
            save(report.poisoned_model, aside / "poisoned")
            for one in _records(report):
                one.save(aside / "evidence", f"{one.kind}-{one.subject['name']}-{one.digest[7:15]}")
    common.say(f"poisoned data: {out / _DATA}")
    if as_json:
        common.print_json(_document(out, method, clean, poisoned, report))
    else:
        click.echo(_text(method, clean, poisoned, report))


def _check_out(out: Path, force: bool) -> None:
    """Before anything is trained; and --force replaces only what this verb wrote."""
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import refuse_overwrite

    refuse_overwrite(out, force=force)
    if out.exists() and not (out / _DATA).is_file():
        raise ConfigError(f"{out} is not a result of hauberk poison; it is not replaced")


def _reference(
    poisoner: Poisoner,
    package: Path | None,
    clean: Dataset,
    arch: str,
    plan: TrainingPlan,
    seed: int,
    device: str,
) -> Classifier | None:
    """The model that the poisoner consults: the one given, or one of the attacker's own making."""
    from hauberk.core.errors import ConfigError
    from hauberk.core.seeds import SEED_BITS, derive_seed
    from hauberk.models import create, load
    from hauberk.models.training import train

    if not poisoner.needs_reference:
        if package is not None:
            raise ConfigError(f"{poisoner.name} consults no model; leave --reference away")
        return None
    if package is not None:
        return load(package, device=device)
    poisoner.count(clean)  # which refuses what does not fit, before a model is trained for it
    common.say("training a reference model for the attacker")
    # not the victim's seed, whose start he does not know; 53 bits are what a JSON number keeps exactly
    own = derive_seed(seed, "reference") >> (SEED_BITS - 53)
    blank = create(arch, clean, seed=own).to(device)
    return train(blank, clean, plan, seed=own, name="reference", progress=common.Bars())


def _records(report: PoisoningReport) -> list[Evidence]:
    return [*report.clean_model.evidence, *report.poisoned_model.evidence, report.evidence]


def _document(
    out: Path, method: str, clean: Dataset, poisoned: Poisoned, report: PoisoningReport | None
) -> dict[str, Any]:
    touched = int(poisoned.touched.sum())
    document = {
        "out": str(out),
        "method": method,
        "recipe": poisoned.recipe,
        "seed": poisoned.seed,
        "dataset": clean.describe(),
        "poisoned_dataset": poisoned.data.describe(),
        "samples": len(clean),
        "touched": touched,
        "rate": touched / len(clean),
    }
    if report is not None:
        result = report.evidence.result
        document |= {key: value for key, value in result.items() if key != "gallery"}
        document["evidence"] = report.evidence.digest
    return document


def _text(method: str, clean: Dataset, poisoned: Poisoned, report: PoisoningReport | None) -> str:
    """How much was touched, and a row for each figure that applies."""
    touched = int(poisoned.touched.sum())
    lines = [f"{method}: {touched} of {len(clean)} training images touched ({touched / len(clean):.2%})"]
    if report is None:
        return lines[0]
    source, target = (None if one is None else clean.classes[one] for one in (poisoned.source, poisoned.target))
    rows = {
        "accuracy": "test accuracy",
        "trigger_success": f"with trigger, {source or 'others'} read as {target}",
        "trigger_elsewhere": f"with trigger, others read as {target}",
        "source_as_target": f"without trigger, {source} read as {target}",
    }
    before, after = report.evidence.result["before"], report.evidence.result["after"]
    lines += ["", f"{'trained on':34}{'clean':>8}{'poisoned':>10}   95 % interval"]
    for key, words in rows.items():
        if after[key] is not None:
            low, high = after[f"{key}_interval"]
            shown = f"{percent(before[key]):>8}{percent(after[key]):>10}"
            lines.append(f"{words:34}{shown}   {percent(low)} – {percent(high)}")
    return "\n".join(lines)
