"""Measures what nobody measured yet: only where it is asked for, and only as much as the policy needs.

A search for adversarial inputs can take hours, so an audit alone runs nothing. Where it is told to, it
measures the worst case and common corruptions, on as many samples as the policy asks for, and leaves the
records where any evaluation does; then the audit reads them like all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hauberk.assurance.auditing import judge
from hauberk.assurance.gathering.gather import Sources, gather
from hauberk.assurance.policy import Policy
from hauberk.core.clock import Clock, now
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence

if TYPE_CHECKING:
    from hauberk.models import Classifier

RUNNABLE = ("robustness.worst-case", "robustness.clean", "robustness.fresh", "robustness.corruptions")
_ACCIDENTS = "robustness.corruptions"


@dataclass(frozen=True)
class Missing:
    """One thing to measure.

    Args:
        place: the package's folder; ``range`` the width of its inputs.
        accidents: common corruptions, in place of the worst case.
    """

    place: Path
    range: float
    accidents: bool


def missing(place: str | Path, policy: Policy, sources: Sources, *, clock: Clock = now) -> list[Missing]:
    """What can be measured here and was not, or not as the policy asks.

    Raises:
        ConfigError: the target is a vault or a server, whose models are measured before they come there.
    """
    target = gather(place, policy.trust, sources, at=clock())
    if target.kind not in ("package", "repository"):
        raise ConfigError(f"in a {target.kind} nothing is run", hint="audit the package before it is pushed")
    open_ = {
        (one.subject.digest, one.rule == _ACCIDENTS)
        for one in judge(target, policy).findings
        if one.state == "unknown" and one.rule in RUNNABLE
    }
    return [
        Missing(Path(model.place), model.range, accidents)
        for model in target.models
        for accidents in (False, True)
        if not model.broken and (model.subject.digest, accidents) in open_
    ]


def run(
    chosen: list[Missing],
    policy: Policy,
    data: str,
    *,
    samples: int | None = None,
    evidence: Path | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Any = None,
) -> Iterator[tuple[Missing, Evidence, Path]]:
    """Measure, one after the other; each record is on disk when it is handed out.

    Args:
        data: the name of a data set; its test split is used.
        samples: the first so many [default: as many as the policy asks for].
        evidence: the folder of records [default: ``evidence`` beside each package].

    Raises:
        DataError, ConfigError, AccessDenied: the data or a model cannot be used.
    """
    from hauberk import datasets
    from hauberk.models import load

    for one in chosen:
        test = datasets.load(data, split="test").head(samples or _samples(policy))
        model = load(one.place, device=device)
        name = one.place.resolve().name
        document = _measure(model, one, policy, test, seed, name, progress)
        folder = evidence or one.place.resolve().parent / "evidence"
        yield one, document, document.save(folder, f"{document.kind}-{name}-{document.digest[7:15]}")


def _samples(policy: Policy) -> int:
    asked = [
        one.values["samples"]
        for name, one in policy.settings.items()
        if name.startswith("robustness.") and one.off is None and "samples" in one.values
    ]
    return max((int(one) for one in asked if isinstance(one, int)), default=1000)


def _measure(
    model: Classifier, one: Missing, policy: Policy, test: Any, seed: int, name: str, progress: Any
) -> Evidence:
    from hauberk.evaluation import evaluate
    from hauberk.threats import ThreatModel, geometry

    told = {} if progress is None else {"progress": progress}
    if one.accidents:
        from hauberk.evaluation.corruptions import corruption_report

        return corruption_report(model, test, seed=seed, name=name, **told)
    setting = policy.settings.get("robustness.worst-case")
    values = setting.values if setting is not None and setting.off is None else {"norm": "linf", "eps": 4 / 255}
    threat = ThreatModel(geometry(str(values["norm"]), float(values["eps"]) * one.range))  # type: ignore[arg-type]
    return evaluate(
        model, test.images, test.labels, threat, seed=seed, name=name, dataset=test, **told
    ).evidence
