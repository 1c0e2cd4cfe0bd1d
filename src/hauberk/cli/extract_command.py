from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from hauberk.cli import common
from hauberk.core.evidence import Evidence


@click.command(
    "extract",
    epilog="Example: hauberk extract models/plain --data mnist --method knockoff --queries 2000 --labels "
    "--out models/stolen",
)
@common.package_argument
@common.data_option
@click.option("--method", default="knockoff", show_default=True, metavar="NAME", help="knockoff or jacobian.")
@click.option("--queries", type=int, required=True, metavar="N", help="Images the victim is asked about.")
@click.option("--scores/--labels", "scores", default=True, help="What the victim shows [default: scores].")
@click.option("--pool", default=None, metavar="NAME",
              help="The thief's own images, if not --data's training images.")  # fmt: skip
@click.option("--arch", default=None, metavar="NAME", help="Of the surrogate [default: cnn].")
@click.option("--epochs", type=int, default=None, metavar="N",
              help="Of its training [default: 20, more after few answers].")  # fmt: skip
@click.option("--norm", default="linf", show_default=True, metavar="NORM",
              help="For adversarial samples made on it.")  # fmt: skip
@click.option(
    "--eps", type=float, default=None, metavar="E", help="[default: a tenth of the valid range, linf]"
)
@common.samples_option
@common.set_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The package to write.")
@common.force_option
@common.evidence_option
@common.seed_option
@common.device_option
@common.json_option
def command(
    package: Path,
    data: str,
    method: str,
    queries: int,
    scores: bool,
    pool: str | None,
    arch: str | None,
    epochs: int | None,
    norm: str,
    eps: float | None,
    samples: int | None,
    settings: tuple[str, ...],
    out: Path,
    force: bool,
    evidence: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Steal a model package through its answers, and measure the surrogate.

    The thief's pool is the training split of --data (or of --pool), whose labels he does not read; the test
    split of --data judges. --set takes settings of the method (choice=uncertain, seeds=50) and of the
    surrogate's training plan (batch_size=64).
    """
    from hauberk import datasets
    from hauberk.attacks.extraction import make_thief
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import refuse_overwrite
    from hauberk.evaluation.extraction import extraction_report
    from hauberk.models import load, save
    from hauberk.models.training import TrainingPlan
    from hauberk.threats import geometry

    refuse_overwrite(out, force=force)
    if out.resolve() == package.resolve():
        raise ConfigError("--out is the victim's own package", hint="choose another --out")
    if eps is None and norm != "linf":
        raise ConfigError(f"--norm {norm} needs --eps, a radius in that norm")
    given = common.add_options(common.parse_settings(settings), architecture=arch)
    learning, own = common.split_settings(given, TrainingPlan)
    thief, plan = make_thief(method, **own), common.add_options(learning, epochs=epochs)
    thief = replace(thief, plan=replace(thief.plan, **plan))
    if "epochs" in plan and "least_steps" not in given:
        thief = replace(thief, least_steps=1)  # whoever names the epochs gets just so many
    victim = load(package, device=common.check_device(device))
    report = extraction_report(
        victim,
        thief,
        datasets.load(pool or data),
        datasets.load(data, split="test").head(samples),
        queries=queries,
        knowledge="scores" if scores else "labels",
        threat=None if eps is None else geometry(norm, eps),
        seed=seed,
        name=out.name,
        victim_name=package.resolve().name,
        progress=common.Bars(),
    )
    written = save(report.theft.surrogate, out, overwrite=force)
    common.keep(report.evidence, common.evidence_folder(out, evidence), out)
    if as_json:
        common.print_json(
            {
                "package": str(written.path),
                "digest": written.digest,
                "model": written.model_digest,
                "recipe": report.theft.recipe,
                "seed": seed,
                **report.evidence.result,
                "evidence": report.evidence.digest,
            }
        )
    else:
        _show(report.evidence, method)


def _show(evidence: Evidence, method: str) -> None:
    """What was stolen, what each question bought, and what harm it can do."""
    result, asked = evidence.result, evidence.parameters
    click.echo(
        f"{evidence.subject['name']}: {method} with the {asked['knowledge']} of {result['queries']} images of "
        f"{evidence.inputs['pool']['name']} (its labels were not read)"
    )
    click.echo("\nqueries  agrees with the victim    right")
    for point in result["points"]:
        low, high = point["interval"]
        click.echo(
            f"{point['queries']:7}  {point['fidelity']:7.1%} [{low:.1%}, {high:.1%}]  {point['accuracy']:7.1%}"
        )
    click.echo(
        f" victim                            {result['victim']['accuracy']:7.1%}  on {result['samples']} images"
    )
    harm, ball = result["transfer"], asked["threat"]
    click.echo(
        f"\nadversarial samples made on it at {ball['norm']} {ball['eps']:g}: {harm['fooled']} of "
        f"{harm['attacked']} fool the victim ({common.percent(harm['share'])}; noise of that size: "
        f"{common.percent(harm['noise_share'])})"
    )
