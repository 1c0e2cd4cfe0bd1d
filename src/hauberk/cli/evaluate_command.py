from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common


@click.command(
    "evaluate", epilog="Example: hauberk evaluate models/hard --data mnist --norm linf --eps 0.3 --samples 1000"
)
@common.package_argument
@common.data_option
@common.threat_options
@common.samples_option
@click.option(
    "--alone", multiple=True, metavar="NAME", help="Also give the figure of this attack alone; repeatable."
)
@click.option("--require", type=float, default=None, metavar="SHARE",
              help="Exit with 1 if the worst case is below this, such as 0.6.")  # fmt: skip
@common.evidence_option
@common.seed_option
@common.device_option
@common.json_option
def command(
    package: Path,
    data: str,
    norm: str,
    eps: float,
    samples: int | None,
    alone: tuple[str, ...],
    require: float | None,
    evidence: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Measure a model package in the worst case: a cascade of attacks, each candidate judged."""
    from hauberk import attacks, datasets
    from hauberk.cli.tables import evaluation_table
    from hauberk.core.errors import ConfigError
    from hauberk.evaluation import evaluate
    from hauberk.models import load
    from hauberk.threats import ThreatModel, geometry

    if require is not None and not 0 <= require <= 1:
        raise ConfigError(f"--require is a share between 0 and 1, got {require:g}")
    threat = ThreatModel(geometry(norm, eps))
    each = [attacks.make(name) for name in alone]
    model = load(package, device=common.check_device(device))
    test = datasets.load(data, split="test").head(samples)
    measured = evaluate(
        model, test.images, test.labels, threat, alone=each, seed=seed, name=package.resolve().name,
        dataset=test, progress=common.Bars(),
    )  # fmt: skip
    common.keep(measured.evidence, common.evidence_folder(package, evidence), package)
    document = measured.evidence
    if as_json:
        common.print_json(
            {
                "subject": dict(document.subject),
                "data": document.inputs["dataset"],
                "threat": threat.describe(),
                "seed": seed,
                **{key: value for key, value in document.result.items() if key != "gallery"},
                "duration_s": document.duration_s,
                "evidence": document.digest,
            }
        )
    else:
        click.echo(evaluation_table(document), nl=False)
    if require is not None and measured.robust_accuracy < require:
        common.say(f"failed: worst case {measured.robust_accuracy:.1%} is below the required {require:.1%}")
        click.get_current_context().exit(1)
