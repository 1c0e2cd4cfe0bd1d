"""Assertions for test suites: a model that is not robust enough fails its test, with the facts in the message.

    from hauberk.testing import assert_robust

    def test_release_holds_up():
        assert_robust("models/hard", "digits", hauberk.Linf(0.1), at_least=0.6, samples=200)

The figure is the evaluation's worst case (docs/evaluation.md), so it depends on nothing but the arguments.
Under pytest the plug-in in ``hauberk.integrations.pytest_plugin`` keeps the evidence and sums up; without it,
or under another runner, the assertion works by itself.

Importing this module loads no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hauberk.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from torch import Tensor

    from hauberk.attacks import Attack
    from hauberk.core.evidence import Evidence
    from hauberk.datasets import Dataset
    from hauberk.evaluation import Evaluation
    from hauberk.models import Classifier
    from hauberk.threats import Geometry, ThreatModel

_SHOWN = 5

keep_in: Path | None = None
"""Where every evaluation leaves its evidence; None keeps none. pytest sets it from ``--hauberk-evidence``."""


class NotRobust(AssertionError):
    """The worst case is below what the test demands; ``evaluation`` holds all of it."""

    def __init__(self, message: str, evaluation: Evaluation) -> None:
        super().__init__(message)
        self.evaluation = evaluation


@dataclass(frozen=True)
class Checked:
    """One assertion, as the summary at the end of a test run tells it.

    Args:
        at_least: what was demanded, a share in [0, 1].
        passed: whether the demand was met.
        evidence: of kind ``evaluation``.
        kept: the file that holds it, or None.
    """

    at_least: float
    passed: bool
    evidence: Evidence
    kept: Path | None

    def to_json(self) -> dict[str, Any]:
        result = self.evidence.result
        return {
            "model": self.evidence.subject["name"],
            "data": self.evidence.inputs["dataset"]["name"],
            "threat": _threat(self.evidence),
            "samples": result["samples"],
            "worst_case": result["robust_accuracy"],
            "interval": result["robust_interval"],
            "at_least": self.at_least,
            "passed": self.passed,
            "flags": [flag["code"] for flag in result["flags"]],
            "evidence": self.evidence.digest,
            "file": None if self.kept is None else str(self.kept),
        }


checked: list[Checked] = []
"""The assertions of this process that nobody has taken note of yet, oldest first."""


def assert_robust(
    model: Classifier | str | Path,
    data: Dataset | str | tuple[Tensor, Tensor],
    threat: ThreatModel | Geometry,
    *,
    at_least: float = 0.6,
    surely: bool = False,
    samples: int | None = None,
    attacks: Sequence[Attack] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Fail unless enough samples stay right in the worst case.

    Args:
        model: a classifier, or the folder of a package.
        data: a data set, the name of one (its test split is taken), or images and labels.
        threat: a ``ThreatModel``, or a geometry such as ``Linf(0.3)``.
        at_least: the share of samples that must be classified rightly and stay so.
        surely: the lower end of the 95 % interval must reach it too, not only the share itself.
        samples: the first so many; None takes all.
        attacks: the cascade; None takes the standard one.
        seed: names all random choices.

    Returns:
        the evaluation, for further assertions.

    Raises:
        NotRobust: an ``AssertionError`` with the interval, the attacks that did most harm, and the evidence.
        ConfigError, DataError, UnsupportedModel: the test itself is wrong; these are no verdicts.

    Cost: as ``hauberk.evaluate``; about a hundred passes for each sample that stands.
    Limits: as ``hauberk.evaluate``: an upper bound, which a stronger attacker may undercut. Few samples give a
        wide interval; ``surely`` keeps luck from passing the test.
    """
    __tracebackhide__ = True  # pytest then points at the test's own line
    if isinstance(at_least, bool) or not isinstance(at_least, int | float) or not 0 <= at_least <= 1:
        raise ConfigError(f"at_least is a share between 0 and 1, got {at_least!r}")
    from hauberk.evaluation import evaluate
    from hauberk.models import load

    name = "model"
    if isinstance(model, str | Path):
        name = Path(model).resolve().name
        model = load(model)
    chosen = _data(model, data).head(samples)
    evaluation = evaluate(
        model, chosen.images, chosen.labels, threat, attacks=attacks, seed=seed, name=name, dataset=chosen
    )
    found = evaluation.robust_interval[0] if surely else evaluation.robust_accuracy
    kept = None if keep_in is None else _kept(evaluation.evidence, keep_in)
    note = Checked(float(at_least), found >= at_least, evaluation.evidence, kept)
    checked.append(note)
    if not note.passed:
        raise NotRobust(_told(note, surely), evaluation)
    return evaluation


def _data(model: Classifier, data: Any) -> Dataset:
    from hauberk import datasets

    if isinstance(data, datasets.Dataset):
        return data
    if isinstance(data, str):
        return datasets.load(data, split="test")
    if isinstance(data, tuple) and len(data) == 2:
        images, labels = data
        lower, upper = model.bounds.tensors(images)
        return datasets.Dataset("batch", images, labels, model.labels, (float(lower.min()), float(upper.max())))
    raise DataError(
        f"data is a Dataset, the name of one, or (images, labels); got {type(data).__name__}",
        hint="assert_robust(model, 'digits', ...), or (images, labels) as two tensors",
    )


def _kept(evidence: Evidence, folder: Path) -> Path:
    stem = f"{evidence.kind}-{evidence.subject['name']}-{evidence.digest[7:15]}"
    return evidence.save(folder, stem)


def _threat(evidence: Evidence) -> str:
    found = evidence.parameters["threat"]
    goal = "targeted" if found["targeted"] else "untargeted"
    asked = "" if found["queries"] is None else f", {found['queries']} queries"
    return f"{found['norm']} {found['eps']:g}, {goal}, {found['knowledge']}{asked}"


def _told(note: Checked, surely: bool) -> str:
    """The facts that a person needs who sees nothing but the failed test."""
    evidence, result = note.evidence, note.evidence.result
    low, high = result["robust_interval"]
    falling = (
        f"worst case {result['robust_accuracy']:.1%} [{low:.1%}, {high:.1%}]"
        if not surely
        else f"lower end of the worst case's interval {low:.1%} (worst case {result['robust_accuracy']:.1%})"
    )
    data, subject = evidence.inputs["dataset"], evidence.subject
    worst = sorted((row for row in result["attacks"] if row["broke"]), key=lambda row: -row["broke"])[:_SHOWN]
    lines = [
        f"{falling} is below the required {note.at_least:.1%}",
        f"  model     {subject['name']} {subject['digest'][:19]}",
        f"  data      {data['name']}, {result['samples']} samples",
        f"  threat    {_threat(evidence)}, seed {evidence.seed}",
        f"  clean     {result['clean_accuracy']:.1%}",
    ]
    lines += [
        f"  {'attacks' if place == 0 else '':<9} {row['name']} broke {row['broke']} of {row['attacked']}, "
        f"{row['robust_after']:.1%} left"
        for place, row in enumerate(worst)
    ]
    lines += [f"  {flag['code']}     {flag['message']}" for flag in result["flags"]]
    where = "kept with pytest's --hauberk-evidence DIR" if note.kept is None else str(note.kept)
    return "\n".join([*lines, f"  evidence  {evidence.digest}", f"            {where}"])
