from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.core.evidence import Evidence


@click.command("certify", epilog="Example: hauberk certify models/proved --data mnist --eps 0.3 --samples 1000")
@common.package_argument
@common.data_option
@common.threat_options
@click.option(
    "--method", default="auto", show_default=True, metavar="NAME", help="auto, ibp, crown or smoothing."
)
@common.samples_option
@common.set_option
@click.option("--require", type=float, default=None, metavar="SHARE",
              help="Exit with 1 if the certified accuracy is below this.")  # fmt: skip
@click.option("--out", "evidence", type=click.Path(path_type=Path), default=None, metavar="DIR",
              help="Where the record goes [default: the folder 'evidence' beside PKG].")  # fmt: skip
@common.seed_option
@common.device_option
@common.json_option
def command(
    package: Path,
    data: str,
    norm: str,
    eps: float,
    method: str,
    samples: int | None,
    settings: tuple[str, ...],
    require: float | None,
    evidence: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Show for which samples no attacker within the radius can succeed, whatever he tries.

    Bounds (auto, ibp, crown) prove it, for linf; smoothing shows it with a stated confidence, for l2.
    """
    from hauberk import datasets
    from hauberk.core.errors import ConfigError
    from hauberk.evaluation.certify import certify, make_certifier
    from hauberk.models import load
    from hauberk.threats import geometry

    if require is not None and not 0 <= require <= 1:
        raise ConfigError(f"--require is a share between 0 and 1, got {require:g}")
    threat = geometry(norm, eps)
    certifier = make_certifier(method, **common.parse_settings(settings))
    model = load(package, device=common.check_device(device))
    test = datasets.load(data, split="test").head(samples)
    shown = certify(
        model, test, threat, method=certifier, seed=seed, name=package.resolve().name, progress=common.Bars()
    )
    common.keep(shown.evidence, common.evidence_folder(package, evidence), package)
    if as_json:
        common.print_measured(shown.evidence, "threat", "method")
    else:
        click.echo(_text(shown.evidence))
    if require is not None and shown.certified_accuracy < require:
        common.say(
            f"failed: certified accuracy {shown.certified_accuracy:.1%} is below the required {require:.1%}"
        )
        click.get_current_context().exit(1)


def _text(evidence: Evidence) -> str:
    result, threat = evidence.result, evidence.parameters["threat"]
    low, high = result["certified_interval"]
    held = "proved" if result["confidence"] is None else f"each with confidence {result['confidence']:.1%}"
    lines = [
        f"clean accuracy      {result['clean_accuracy']:6.1%}  on {result['samples']} images",
        f"certified accuracy  {result['certified_accuracy']:6.1%}  [{low:.1%}, {high:.1%}] at {threat['norm']} "
        f"{threat['eps']:g}, {held}",
    ]
    found = [one["by"] for one in result["certificates"] if one["certified"]]
    lines += [f"  by {name:<15}{found.count(name):6d}" for name in dict.fromkeys(found)]
    return "\n".join(lines + [f"{flag['code']}: {flag['message']}" for flag in result["flags"]])
