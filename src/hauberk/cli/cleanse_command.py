from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import common
from hauberk.cli.common import percent

if TYPE_CHECKING:
    from hauberk.attacks.poisoning import Poisoned
    from hauberk.core.evidence import Evidence
    from hauberk.datasets import Dataset
    from hauberk.defenses.cleansing import Finding, FinePruning, NeuralCleanse, Reconstruction, RowCleansing
    from hauberk.models import Classifier

_DATA = "poisoned.safetensors"  # as hauberk poison writes it


@click.command(
    "cleanse",
    epilog="Example: hauberk cleanse runs/backdoor/poisoned --data mnist --poisoned runs/backdoor "
    "--method activation-clustering --out runs/cleansed",
)
@common.package_argument
@common.data_option
@click.option("--method", required=True, metavar="NAME",
              help="confident-learning, spectral-signatures, activation-clustering, neural-cleanse "
              "or fine-pruning.")  # fmt: skip
@click.option("--poisoned", "folder", type=click.Path(path_type=Path), default=None, metavar="DIR",
              help="What hauberk poison wrote: rows are searched for in its data, and what is found is "
              "compared with the truth.")  # fmt: skip
@click.option(
    "--samples", type=int, default=None, metavar="N", help="The first N training images [default: all]."
)
@click.option("--epochs", type=int, default=None, metavar="N",
              help="[default: those the model learnt in; the method's own for mending]")  # fmt: skip
@common.set_option
@click.option("--out", type=click.Path(path_type=Path), default=None,
              help="The mended package [default: find only].")  # fmt: skip
@common.force_option
@common.evidence_option
@common.seed_option
@common.device_option
@common.json_option
def command(
    package: Path,
    data: str,
    method: str,
    folder: Path | None,
    samples: int | None,
    epochs: int | None,
    settings: tuple[str, ...],
    out: Path | None,
    force: bool,
    evidence: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Find poisoned rows or a backdoor, mend the model, and measure before and after.

    The row finders look through the data that the model learnt from. neural-cleanse and fine-pruning mend
    the model with the training images of --data, which must be right.

    --set takes settings of the method (expected=0.2, folds=5, threshold=2.5) and of its training plan.
    """
    from hauberk import datasets, defenses
    from hauberk.attacks.poisoning import Poisoned
    from hauberk.core.errors import check_known
    from hauberk.core.files import refuse_overwrite
    from hauberk.defenses import cleansing
    from hauberk.evaluation.backdoor import cleansing_effect
    from hauberk.models import load, save
    from hauberk.models.training import TrainingPlan

    check_known([method], [one.name for one in cleansing.DEFENSES], what="method", where="cleanse")
    if out is not None:
        refuse_overwrite(out, force=force)
    suspect = load(package, device=common.check_device(device))
    given = common.add_options(common.parse_settings(settings), epochs=epochs)
    plan, own = common.split_settings(given, TrainingPlan)
    if issubclass(defenses.DEFENSES[method], cleansing.RowCleansing):
        plan = _plan_of(suspect) | plan
    defense: Any = defenses.make(method, plan=plan, **own)
    origin, test = datasets.load(data), datasets.load(data, split="test")
    poisoned = None if folder is None else Poisoned.load(folder / _DATA, origin)
    clean = origin if poisoned is None else origin.head(len(poisoned.data))
    searched = clean.head(samples)
    if poisoned is not None and isinstance(defense, cleansing.RowCleansing):
        _refuse_samples(samples)
        searched = poisoned.data
    found, mended = _carry_out(defense, suspect, searched, None if out is None else out.name, seed)
    if out is not None and mended is not None:
        save(mended, out, overwrite=force)
    record = cleansing_effect(
        suspect,
        test,
        method=method,
        settings={key: value for key, value in asdict(defense).items() if key != "plan"},
        searched=searched,
        rows=found if isinstance(found, cleansing.Finding) else None,
        stamps=found if isinstance(found, cleansing.Reconstruction) else None,
        mended=mended,
        clean=None if poisoned is None else clean,
        poisoned=poisoned,
        name=package.resolve().name if out is None else out.name,
        seed=seed,
    )
    kept = common.evidence_folder(package, evidence)
    if mended is not None and out is not None:
        common.keep(mended.evidence[-1], kept, out)
    common.keep(record, kept, package if out is None else out)
    if as_json:
        common.print_json(record.to_json())
    else:
        click.echo(_text(method, record, poisoned))


def _plan_of(suspect: Classifier) -> dict[str, Any]:
    """How the model learnt, where its evidence says so: what learns anew should differ in its data only."""
    from hauberk.models.training import TrainingPlan

    told = suspect.evidence[-1].parameters.get("plan") if suspect.evidence else None
    return common.split_settings(told, TrainingPlan)[0] if isinstance(told, dict) else {}


def _refuse_samples(samples: int | None) -> None:
    from hauberk.core.errors import ConfigError

    if samples is not None:
        raise ConfigError("--samples: the rows searched are those of --poisoned, all of them")


def _carry_out(
    defense: RowCleansing | NeuralCleanse | FinePruning,
    suspect: Classifier,
    searched: Dataset,
    name: str | None,
    seed: int,
) -> tuple[Finding | Reconstruction | None, Classifier | None]:
    """What was found and, where the mended model has a name, that model."""
    from hauberk.core.errors import ConfigError
    from hauberk.defenses import cleansing

    bars = common.Bars()
    if isinstance(defense, cleansing.RowCleansing):
        rows = defense.find(suspect, searched, seed=seed, progress=bars)
        if name is None:
            return rows, None
        return rows, defense.relearn(suspect, searched, rows, seed=seed, name=name, progress=bars)
    if isinstance(defense, cleansing.NeuralCleanse):
        stamps = defense.search(suspect, searched, seed=seed, progress=bars)
        if name is None:
            return stamps, None
        return stamps, defense.unlearn(suspect, searched, stamps, seed=seed, name=name, progress=bars)
    if name is None:
        raise ConfigError(f"{defense.name} finds nothing by itself, it mends", hint="say where to: --out PKG")
    return None, defense.fit(suspect, searched, seed=seed, name=name, progress=bars)


def _text(method: str, record: Evidence, poisoned: Poisoned | None) -> str:
    """What was found, and a row for each figure that applies."""
    result = record.result
    lines = []
    if result["flagged"] is not None:
        lines.append(f"{method}: {result['flagged']} of {result['samples']} rows flagged")
        if poisoned is not None:
            lines.append(
                f"of {result['touched']} poisoned rows {percent(result['recall'])} flagged, "
                f"of the honest {percent(result['false_alarms'])}; of the flagged "
                f"{percent(result['precision'])} poisoned"
            )
    for one in result["classes"]:
        if one["suspected"]:
            lines.append(
                f"{method}: class {one['class']} suspected: a stamp of {one['mask_norm']:.1f} pixels turns "
                f"{percent(one['success'])} of test images (anomaly {one['anomaly']:.1f})"
            )
    if result["classes"] and not any(one["suspected"] for one in result["classes"]):
        lines.append(f"{method}: no class suspected")
    words = {
        "accuracy": "test accuracy",
        "trigger_success": "with the true trigger, read as target",
        "trigger_elsewhere": "with it, of other classes",
        "source_as_target": "without it, source read as target",
    }
    before, after = result["before"], result["after"]
    lines += ["", f"{'':40}{'before':>8}" + (f"{'after':>8}   95 % interval" if after else "")]
    for key, text in words.items():
        if before[key] is None:
            continue
        line = f"{text:40}{percent(before[key]):>8}"
        if after:
            low, high = after[f"{key}_interval"]
            line += f"{percent(after[key]):>8}   {percent(low)} – {percent(high)}"
        lines.append(line)
    return "\n".join(lines)
