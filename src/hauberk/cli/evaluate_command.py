from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.core.evidence import Evidence


@click.command(
    "evaluate", epilog="Example: hauberk evaluate models/hard --data mnist --norm linf --eps 0.3 --samples 1000"
)
@common.package_argument
@common.data_option
@click.option("--norm", default="linf", show_default=True, metavar="NORM", help="linf, l2, l1 or l0.")
@click.option("--eps", type=float, default=None, metavar="E",
              help="Radius, in the model's own input scale; required for the worst case.")  # fmt: skip
@common.attacker_options
@common.samples_option
@click.option(
    "--alone", multiple=True, metavar="NAME", help="Also give the figure of this attack alone; repeatable."
)
@click.option("--source", "sources", multiple=True, type=click.Path(path_type=Path), metavar="PKG",
              help="Also carry over samples made on this model; repeatable.")  # fmt: skip
@click.option("--workers", default="1", show_default=True, metavar="W",
              help="Processes on this machine, ray, or ray://HOST:PORT.")  # fmt: skip
@click.option("--corruptions", is_flag=True,
              help="Measure accidents instead: common corruptions, rotations, shifts.")  # fmt: skip
@click.option("--require", type=float, default=None, metavar="SHARE",
              help="Exit with 1 if the worst case (the mean over corruptions) is below this.")  # fmt: skip
@common.evidence_option
@common.seed_option
@common.device_option
@common.json_option
def command(
    package: Path,
    data: str,
    norm: str,
    eps: float | None,
    knowledge: str,
    queries: int | None,
    target: int | None,
    samples: int | None,
    alone: tuple[str, ...],
    sources: tuple[Path, ...],
    workers: str,
    corruptions: bool,
    require: float | None,
    evidence: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Measure a model package in the worst case: a cascade of attacks, each candidate judged."""
    from hauberk import attacks, compute, datasets
    from hauberk.cli.tables import evaluation_table
    from hauberk.core.errors import ConfigError
    from hauberk.evaluation import evaluate, towards
    from hauberk.models import load

    if require is not None and not 0 <= require <= 1:
        raise ConfigError(f"--require is a share between 0 and 1, got {require:g}")
    if corruptions:
        _refuse_attackers()
        document = _accidents(package, data, samples, evidence, seed, device, as_json)
        _check("mean over corruptions", document.result["mean_accuracy"], require)
        return
    if eps is None:
        raise click.MissingParameter(param_hint="'--eps'", param_type="option")
    threat = common.threat_of(norm, eps, knowledge, queries, target)
    each = [attacks.make(name) for name in alone]
    team = compute.workers(workers)
    model = load(package, device=common.check_device(device))
    others = [load(one, device=device) for one in sources]
    test, targets = towards(datasets.load(data, split="test").head(samples), target)
    folder = common.evidence_folder(package, evidence)
    measured = evaluate(
        model, test.images, test.labels, threat, alone=each, sources=others, targets=targets, seed=seed,
        name=package.resolve().name, dataset=test, journal=folder / ".under-way",
        workers=None if workers == "1" else team, progress=common.Bars(),
    )  # fmt: skip
    common.keep(measured.evidence, folder, package)
    document = measured.evidence
    if as_json:
        common.print_measured(document, "threat", without=("gallery",))
    else:
        click.echo(evaluation_table(document), nl=False)
    _check("worst case", measured.robust_accuracy, require)


def _check(what: str, share: float, require: float | None) -> None:
    if require is not None and share < require:
        common.say(f"failed: {what} {share:.1%} is below the required {require:.1%}")
        click.get_current_context().exit(1)


def _refuse_attackers() -> None:
    """Options that describe an attacker say nothing about accidents."""
    from hauberk.core.errors import ConfigError

    context = click.get_current_context()
    for name in ("norm", "eps", "knowledge", "queries", "target", "alone", "sources", "workers"):
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            option = {"sources": "source"}.get(name, name)
            raise ConfigError(
                f"--corruptions measures accidents, not attacks: --{option} does not belong to it"
            )


def _accidents(
    package: Path,
    data: str,
    samples: int | None,
    evidence: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> Evidence:
    """Measure and print accuracy under common corruptions."""
    from hauberk import datasets
    from hauberk.evaluation.corruptions import corruption_report
    from hauberk.models import load

    model = load(package, device=common.check_device(device))
    test = datasets.load(data, split="test").head(samples)
    document = corruption_report(model, test, seed=seed, name=package.resolve().name, progress=common.Bars())
    common.keep(document, common.evidence_folder(package, evidence), package)
    if as_json:
        common.print_measured(document, without=("gallery", "original"))
    else:
        click.echo(_accidents_table(document.result))
    return document


def _accidents_table(result: Mapping[str, Any]) -> str:
    """Accuracy by corruption and severity, in columns."""
    severities = [point["severity"] for point in result["corruptions"][0]["severities"]]
    lines = [f"{'corruption':<18}" + "".join(f"{one:>8}" for one in severities) + f"{'mean':>8}"]
    for row in result["corruptions"]:
        shares = [*(point["accuracy"] for point in row["severities"]), row["accuracy"]]
        lines.append(f"{row['name']:<18}" + "".join(f"{common.percent(share):>8}" for share in shares))
    spatial = result["spatial"]
    low, high = spatial["interval"]
    lines += [
        "",
        f"clean accuracy            {result['clean_accuracy']:6.1%}  on {result['samples']} images",
        f"mean over corruptions     {result['mean_accuracy']:6.1%}  the fifteen common ones, all severities",
        f"worst rotation            {spatial['rotation']['accuracy']:6.1%}",
        f"worst shift               {spatial['shift']['accuracy']:6.1%}",
        f"worst rotation and shift  {spatial['accuracy']:6.1%}  [{low:.1%}, {high:.1%}]",
    ]
    lines += [f"{flag['code']}: {flag['message']}" for flag in result["flags"]]
    return "\n".join(lines)
