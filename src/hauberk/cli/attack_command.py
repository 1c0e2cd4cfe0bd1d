from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common


@click.command(
    "attack",
    epilog="Example: hauberk attack models/plain --data mnist --attack pgd --eps 0.3 --steps 40 --restarts 5",
)
@common.package_argument
@common.data_option
@click.option("--attack", "name", default="pgd", show_default=True, metavar="NAME",
              help="Its name, such as apgd, cw, square or hop-skip-jump; see docs/attacks.md.")  # fmt: skip
@common.threat_options
@common.attacker_options
@click.option(
    "--steps", type=int, default=None, metavar="N", help="Gradient steps [default: the attack's own]."
)
@click.option(
    "--restarts", type=int, default=None, metavar="R", help="Random starts [default: the attack's own]."
)
@common.samples_option
@common.set_option
@click.option("--out", type=click.Path(path_type=Path), default=None, metavar="FILE",
              help="Write the adversarial images (safetensors).")  # fmt: skip
@common.evidence_option
@common.seed_option
@common.device_option
@common.json_option
def command(
    package: Path,
    data: str,
    name: str,
    norm: str,
    eps: float,
    knowledge: str,
    queries: int | None,
    target: int | None,
    steps: int | None,
    restarts: int | None,
    samples: int | None,
    settings: tuple[str, ...],
    out: Path | None,
    evidence: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Attack a model package with one attack; the figures are the judge's, not the attack's."""
    from hauberk import attacks, datasets
    from hauberk.core.settings import check_settings
    from hauberk.evaluation import attack_report
    from hauberk.models import load

    given = common.add_options(common.parse_settings(settings), steps=steps, restarts=restarts)
    threat = common.threat_of(norm, eps, knowledge, queries, target)
    attack = None if name == "advgan" else attacks.make(name, **given)
    model = load(package, device=common.check_device(device))
    if attack is None:  # a generator is trained first, for this model and threat
        check_settings(attacks.AdvGANPlan, given, where="attack advgan")
        plan = attacks.AdvGANPlan(**given)
        attack = attacks.train_advgan(
            model, datasets.load(data), threat, plan, seed=seed, progress=common.Bars()
        )
    test = datasets.load(data, split="test").head(samples)
    report = attack_report(
        model, test, threat, attack, target=target, seed=seed, name=package.resolve().name,
        progress=common.Bars(),
    )  # fmt: skip
    common.keep(report.evidence, common.evidence_folder(package, evidence), package)
    if out is not None:
        report.save_candidates(out)
        common.say(f"adversarial images: {out}")
    result = report.evidence.result
    if as_json:
        common.print_json(
            {
                "attack": name,
                "recipe": repr(attack),
                "threat": threat.describe(),
                "seed": seed,
                **{key: value for key, value in result.items() if key != "gallery"},
                "evidence": report.evidence.digest,
            }
        )
        return
    low, high = result["interval"]
    click.echo(f"{attack!r}")
    click.echo(f"clean accuracy   {result['clean_accuracy']:7.2%}  on {result['samples']} images")
    click.echo(f"under attack     {result['accuracy']:7.2%}  [{low:.1%}, {high:.1%}]")
    click.echo(
        f"fooled           {result['broke']} images, median distance {result['distance_median'] or 0:.4g}"
    )
