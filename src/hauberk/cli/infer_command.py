from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.core.evidence import Evidence
    from hauberk.datasets import Dataset
    from hauberk.models import Classifier

_ALONE = ("loss", "entropy")  # need no shadow models
_COMPARING = ("shadow", "lira-offline", "lira", "rmia-offline", "rmia")
_INVERSIONS = ("gradient", "gaussian")
_JUDGE_STEPS = 1000  # training steps of a judge: enough for data sets of any size here


@click.command(
    "infer",
    epilog="Example: hauberk infer --data digits --arch cnn --epochs 30 --shadows 16 --out runs/privacy",
)
@click.argument("package", metavar="[PKG]", required=False, type=click.Path(path_type=Path))
@common.data_option
@click.option("--attack", "names", multiple=True, metavar="NAME",
              help=f"{', '.join(_ALONE + _COMPARING)}; with --inversion: gradient, gaussian. Repeatable "
              "[default: all that can run].")  # fmt: skip
@click.option("--shadows", type=int, default=None, metavar="N", help="Train N shadow models to compare with.")
@click.option("--members", type=int, default=None, metavar="K",
              help="Score K random members and K others [default: all].")  # fmt: skip
@click.option("--arch", default=None, metavar="NAME",
              help="Without PKG: the network to train on a half.")  # fmt: skip
@click.option("--epochs", type=int, default=None, metavar="N", help="Of the models trained here.")
@click.option("--samples", type=int, default=None, metavar="N",
              help="Without PKG: of the first N training images.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="Of the training plan: batch_size=32; repeatable.")  # fmt: skip
@click.option("--inversion", is_flag=True, help="Picture each class instead.")
@click.option("--judge", type=click.Path(path_type=Path), default=None, metavar="PKG",
              help="Who judges the pictures [default: trained here].")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), default=None, metavar="PATH",
              help="Folder for what is trained; with --inversion: a .png.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an earlier picture at --out.")
@common.evidence_option
@common.seed_option
@common.device_option
@common.json_option
def command(
    package: Path | None,
    data: str,
    names: tuple[str, ...],
    shadows: int | None,
    members: int | None,
    arch: str | None,
    epochs: int | None,
    samples: int | None,
    settings: tuple[str, ...],
    inversion: bool,
    judge: Path | None,
    out: Path | None,
    force: bool,
    evidence: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """What does a model tell about the people in its training data?

    Membership: was a record in it? With PKG, members are the training images that the package names and the
    others are test images. Without, a target is trained on a random half, which is the cleaner question.
    """
    from hauberk.core.errors import ConfigError

    if inversion:
        if package is None:
            raise ConfigError("--inversion needs a PKG: which model is to be inverted?")
        _refuse(
            "asks about membership, not --inversion",
            {"--shadows": shadows, "--members": members, "--arch": arch, "--epochs": epochs,
             "--samples": samples, "--set": settings or None},
        )  # fmt: skip
        _invert(package, data, names or _INVERSIONS, judge, out, force, evidence, seed, device, as_json)
        return
    _refuse("belongs to --inversion", {"--judge": judge, "--force": force or None})
    names = names or _ALONE + (_COMPARING if shadows else ())
    if package is None:
        if arch is None or out is None:
            raise ConfigError(
                f"without a PKG, {'--arch' if arch is None else '--out'} is needed: a target is trained first",
                hint="hauberk infer PKG --data …, or hauberk infer --data … --arch cnn --out DIR",
            )
    else:
        _refuse("trains a target, but there is a PKG", {"--arch": arch, "--samples": samples})
        if not shadows:
            _refuse(
                "is for shadow models; add --shadows",
                {"--epochs": epochs, "--set": settings or None, "--out": out},
            )
    report = _membership(
        package, data, names, shadows or 0, members, arch, samples,
        common.add_options(common.parse_settings(settings), epochs=epochs), out, evidence, seed, device,
    )  # fmt: skip
    if as_json:
        _print_document(report)
    else:
        click.echo(_membership_text(report))


def _refuse(why: str, options: dict[str, Any]) -> None:
    """The first option that was given and has no meaning here."""
    from hauberk.core.errors import ConfigError

    for name, value in options.items():
        if value is not None:
            raise ConfigError(f"{name} {why}")


def _membership(
    package: Path | None,
    data: str,
    names: Sequence[str],
    shadows: int,
    members: int | None,
    arch: str | None,
    samples: int | None,
    settings: dict[str, Any],
    out: Path | None,
    evidence: Path | None,
    seed: int,
    device: str,
) -> Evidence:
    from dataclasses import replace

    from hauberk import datasets
    from hauberk.attacks.inference import make_membership
    from hauberk.core.settings import check_settings
    from hauberk.evaluation.membership import learnt_how, membership_report, trained_on
    from hauberk.models import load
    from hauberk.models.training import TrainingPlan

    attacks = [make_membership(name) for name in names]
    check_settings(TrainingPlan, settings, where="the training plan")
    if package is not None:
        target = load(package, device=common.check_device(device))
        inside, outside = trained_on(target, datasets.load(data)), datasets.load(data, split="test")
        plan = replace(learnt_how(target), **settings)
        place, folder = package, common.evidence_folder(package, evidence)
    else:
        assert arch is not None
        assert out is not None
        plan = TrainingPlan(**settings)
        pool = datasets.load(data).head(samples)
        place = out / "target"
        target, inside, outside = _target(arch, pool, plan, place, seed, common.check_device(device))
        folder = evidence or out / "evidence"
    report = membership_report(
        target, inside, outside, attacks, shadows=shadows, plan=plan if shadows else None, scored=members,
        random_split=package is None, folder=out / "shadows" if out is not None else None, seed=seed,
        name=place.resolve().name, progress=common.Bars(),
    )  # fmt: skip
    common.keep(report.evidence, folder, place)
    return report.evidence


def _target(
    arch: str, pool: Dataset, plan: Any, place: Path, seed: int, device: str
) -> tuple[Classifier, Dataset, Dataset]:
    """A network trained on a random half, as a package; a repetition goes on where the first run stopped."""
    from hauberk.attacks.inference import half_and_half
    from hauberk.models import create, save
    from hauberk.models.training import train

    inside, outside = half_and_half(pool, seed=seed)
    blank = create(arch, pool, seed=seed).to(device).eval()
    target = train(
        blank, inside, plan, seed=seed, name=place.name, checkpoint=place.parent / "target.checkpoint",
        progress=common.Bars(),
    )  # fmt: skip
    save(target, place, overwrite=True)
    return target, inside, outside


def _invert(
    package: Path,
    data: str,
    names: Sequence[str],
    judge: Path | None,
    out: Path | None,
    force: bool,
    evidence: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    from hauberk import datasets
    from hauberk.attacks.inference import half_and_half, make_inversion
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import refuse_overwrite
    from hauberk.evaluation.inversion import inversion_report
    from hauberk.evaluation.membership import trained_on
    from hauberk.models import load

    attacks = [make_inversion(name) for name in names]
    if out is not None:
        if out.suffix.lower() != ".png":
            raise ConfigError(f"--out is a picture here and must end in .png, got {out}")
        refuse_overwrite(out, force=force)
    target = load(package, device=common.check_device(device))
    inside = trained_on(target, datasets.load(data))
    # one half for the judge and for comparison, the other in the attacker's hands
    fresh, own = half_and_half(datasets.load(data, split="test"), seed=seed)
    seen_by = load(judge, device=device) if judge is not None else _judge(target, fresh, seed)
    report = inversion_report(
        target, inside, fresh, seen_by, attacks, population=own.images, seed=seed,
        name=package.resolve().name, progress=common.Bars(),
    )  # fmt: skip
    common.keep(report.evidence, common.evidence_folder(package, evidence), package)
    if out is not None:
        report.save_picture(out)
        common.say(f"pictures: {out}")
    if as_json:
        _print_document(report.evidence)
    else:
        click.echo(_inversion_text(report.evidence))


def _judge(target: Classifier, data: Dataset, seed: int) -> Classifier:
    """Another network on other images: what it recognises was not made for its eyes."""
    from hauberk.core.seeds import derive_seed
    from hauberk.models import create
    from hauberk.models.training import TrainingPlan, train

    own = (target.architecture or {}).get("name")
    blank = create("cnn" if own == "mlp" else "mlp", data, seed=derive_seed(seed, "judge")).to(target.device)
    batches = max(1, len(data) // 64)
    plan = TrainingPlan(epochs=max(1, _JUDGE_STEPS // batches), batch_size=64, schedule="cosine")
    return train(blank.eval(), data, plan, seed=seed, name="judge", progress=common.Bars())


def _print_document(evidence: Evidence) -> None:
    common.print_json(
        {
            "subject": dict(evidence.subject),
            "inputs": dict(evidence.inputs),
            "seed": evidence.seed,
            **{key: value for key, value in evidence.result.items() if key != "gallery"},
            "duration_s": evidence.duration_s,
            "evidence": evidence.digest,
        }
    )


def _membership_text(evidence: Evidence) -> str:
    result = evidence.result
    lines = [
        f"{result['members']} members, {result['non_members']} others; the target is right on "
        f"{result['member_accuracy']:.1%} and {result['non_member_accuracy']:.1%}",
        "",
        f"{'attack':<14}{'AUC':>7}  {'95 %':<15}{'found at 1 %':>13}{'at 0.1 %':>10}  {'95 %':<15}advantage",
    ]
    for row in result["attacks"]:
        (low, high), (least, most) = row["auc_interval"], row["tpr_at_0.001_interval"]
        lines.append(
            f"{row['name']:<14}{row['auc']:>7.3f}  {f'[{low:.3f}, {high:.3f}]':<15}"
            f"{row['tpr_at_0.01']:>13.1%}{row['tpr_at_0.001']:>10.1%}  {f'[{least:.1%}, {most:.1%}]':<15}"
            f"{row['advantage']:>9.3f}"
        )
    blind = result["blind"]
    lines.append(f"{'without model':<14}{blind['auc']:>7.3f}")
    lines += ["", "found: members recognised while 1 % or 0.1 % of the others are taken for members"]
    return "\n".join(lines + [f"{flag['code']}: {flag['message']}" for flag in result["flags"]])


def _inversion_text(evidence: Evidence) -> str:
    result = evidence.result
    lines = [
        f"{result['classes']} classes; the judge is right on {result['judge_accuracy']:.1%} of the training "
        "images",
        "",
        f"{'attack':<12}{'recognised':>11}  {'95 %':<17}{'own mean':>9}{'other':>8}{'start':>8}"
        f"{'member':>9}{'fresh':>8}",
    ]
    for row in result["attacks"]:
        low, high = row["recognised_interval"]
        lines.append(
            f"{row['name']:<12}{row['recognised']:>11.0%}  {f'[{low:.0%}, {high:.0%}]':<17}"
            f"{row['mean_correlation']:>9.3f}{row['other_correlation']:>8.3f}{row['start_correlation']:>8.3f}"
            f"{row['nearest_member']:>9.3f}{row['nearest_fresh']:>8.3f}"
        )
    chance = result["random"]
    low, high = chance["recognised_interval"]
    lines.append(
        f"{'noise':<12}{chance['recognised']:>11.0%}  {f'[{low:.0%}, {high:.0%}]':<17}"
        f"{chance['mean_correlation']:>9.3f}"
    )
    lines += ["", "correlation with: the mean of the class, the best mean of another, (of the start) the mean,",
              "the nearest training image of the class, the nearest fresh one"]  # fmt: skip
    return "\n".join(lines + [f"{flag['code']}: {flag['message']}" for flag in result["flags"]])
