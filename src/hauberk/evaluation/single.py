"""One attack, judged: what ``hauberk attack`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from hauberk.attacks import Attack
from hauberk.core.display import render
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.files import write_atomic
from hauberk.core.intervals import wilson
from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.evaluation.evaluate import evaluate
from hauberk.models import Classifier
from hauberk.threats import ThreatModel


@dataclass(frozen=True, eq=False)
class AttackReport:
    """Args:
    evidence: of kind ``attack``.
    candidates: adversarial inputs, shape of the images; the clean image where none was looked for.
    broken: boolean ``(n,)``.
    """

    evidence: Evidence
    candidates: Tensor
    labels: Tensor
    broken: Tensor

    def _repr_html_(self) -> str:
        """A card for notebooks."""
        from hauberk.reports.notebook import evaluation_card  # templates and pictures: not for every evaluation

        return render(evaluation_card(self.evidence))

    def save_candidates(self, path: Path) -> None:
        """Images, labels and what broke, as a safetensors file."""
        tensors = {
            "images": self.candidates.contiguous(),
            "labels": self.labels,
            "broken": self.broken.to(torch.uint8),
        }
        write_atomic(path, safetensors.torch.save(tensors))


def towards(data: Dataset, target: int | None) -> tuple[Dataset, Tensor | None]:
    """Data for a targeted threat: without the images of that class, and the wanted class for each one left.

    Raises:
        ConfigError: no such class, or no images of any other.
    """
    if target is None:
        return data, None
    if not 0 <= target < len(data.classes):
        raise ConfigError(f"target {target} is not one of the {len(data.classes)} classes")
    rows = (data.labels != target).nonzero().squeeze(1)
    if len(rows) == 0:
        raise ConfigError(f"all images are of the target class {target} already")
    kept = data.select(rows, note=f"without class {target}")
    return kept, torch.full((len(kept),), target, dtype=torch.int64)


def attack_report(
    classifier: Classifier,
    data: Dataset,
    threat: ThreatModel,
    attack: Attack,
    *,
    target: int | None = None,
    seed: int = 0,
    name: str = "model",
    progress: Progress = SILENT,
) -> AttackReport:
    """Run one attack on a data set and judge it.

    Args:
        target: the class to reach when the threat is targeted; images of that class are left out.
    """
    data, targets = towards(data, target)
    measured = evaluate(
        classifier,
        data.images,
        data.labels,
        threat,
        attacks=(),
        alone=(attack,),
        targets=targets,
        seed=seed,
        name=name,
        dataset=data,
        progress=progress,
    )
    (row,) = measured.attacks
    broken = torch.tensor([verdict.status == "broken" for verdict in measured.verdicts])
    reached = [verdict.distance for verdict in measured.verdicts if verdict.distance is not None]
    standing = round(measured.robust_accuracy * measured.samples)
    result = {
        "samples": measured.samples,
        "clean_accuracy": measured.clean_accuracy,
        "accuracy": measured.robust_accuracy,
        "interval": list(wilson(standing, measured.samples)),
        "broke": row.broke,
        "invalid": row.invalid,
        "queries_mean": row.queries_mean,
        "seconds": row.seconds,
        "distance_median": float(torch.tensor(reached).median()) if reached else None,
        "flags": [flag.describe() for flag in measured.flags],
        "verdicts": [vars(verdict) for verdict in measured.verdicts],
        "gallery": measured.evidence.result["gallery"],
    }
    document = measured.evidence
    evidence = Evidence(
        kind="attack",
        subject=document.subject,
        inputs=document.inputs,
        parameters={"threat": threat.describe(), "attack": repr(attack), "target": target},
        result=result,
        seed=seed,
        parents=document.parents,
        duration_s=document.duration_s,
    )
    return AttackReport(evidence, measured.candidates, data.labels, broken)
