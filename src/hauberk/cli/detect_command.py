from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import common
from hauberk.cli.common import percent

if TYPE_CHECKING:
    from hauberk.core.evidence import Evidence


@click.command(
    "detect", epilog="Example: hauberk detect models/guarded --data mnist --norm linf --eps 0.3 --samples 500"
)
@common.package_argument
@common.data_option
@common.threat_options
@common.samples_option
@click.option("--out", type=click.Path(path_type=Path), default=None, metavar="FILE",
              help="Keep the adversarial images, as .safetensors.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an earlier file at --out.")
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
    out: Path | None,
    force: bool,
    evidence: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Does a model that may refuse find adversarial inputs? And if the attacker knows of its detector?

    PKG stands behind a detector: hauberk harden PKG --method feature-squeezing, mahalanobis, nearest-neighbours
    or confidence.
    """
    from hauberk import datasets
    from hauberk.core.files import refuse_overwrite
    from hauberk.evaluation.detection import detection_report
    from hauberk.models import load
    from hauberk.threats import geometry

    threat = geometry(norm, eps)
    if out is not None:
        refuse_overwrite(out, force=force)
    model = load(package, device=common.check_device(device))
    test = datasets.load(data, split="test").head(samples)
    report = detection_report(
        model, test, threat, seed=seed, name=package.resolve().name, progress=common.Bars()
    )
    common.keep(report.evidence, common.evidence_folder(package, evidence), package)
    if out is not None:
        report.save_candidates(out)
        common.say(f"adversarial images: {out}")
    if as_json:
        common.print_measured(report.evidence, "threat", "detectors")
    else:
        click.echo(_text(report.evidence))


def _text(evidence: Evidence) -> str:
    """Clean images, then what each attack did, then both attackers side by side."""
    result, threat = evidence.result, evidence.parameters["threat"]
    behind = ", ".join(one["name"] for one in evidence.parameters["detectors"])
    low, high = result["false_positive_interval"]
    lines = [
        f"behind {behind}; {threat['norm']} radius {threat['eps']:g}, {result['samples']} images",
        f"refused without attack  {percent(result['false_positive_rate'])}  [{percent(low)}, {percent(high)}]",
        f"accepted and right      {percent(result['clean_accuracy'])}  (the network alone is right on "
        f"{percent(result['network_accuracy'])})",
        "",
        f"{'attack':<52}{'given':>6}{'fooled':>8}{'refused':>9}{'through':>9}",
    ]
    for row in result["attacks"]:
        counts = f"{row['attacked']:>6}{row['fooled']:>8}{row['detected']:>9}{row['evaded']:>9}"
        lines.append(f"{row['name']:<52}{counts}")
    lines += ["", f"{'the attacker':<26}{'detected':>9}  {'95 %':<17}{'AUC':>7}{'left':>8}  95 %"]
    for words, key in (("does not know of it", "oblivious"), ("knows of it", "adaptive")):
        lines.append(f"{words:<26}{_figures(result[key])}")
    lines += ["", "fooled: the network alone is wrong; through: accepted and wrong; left: accepted and right"]
    return "\n".join(lines + [f"{flag['code']}: {flag['message']}" for flag in result["flags"]])


def _figures(found: Mapping[str, Any]) -> str:
    around = "" if found["fooled"] == 0 else "[{}, {}]".format(*map(percent, found["detected_interval"]))
    least, most = found["robust_interval"]
    auc = "–" if found["auc"] is None else f"{found['auc']:.3f}"
    left = f"{percent(found['robust_accuracy']):>8}  [{percent(least)}, {percent(most)}]"
    return f"{percent(found['detected_share']):>9}  {around:<17}{auc:>7}{left}"
