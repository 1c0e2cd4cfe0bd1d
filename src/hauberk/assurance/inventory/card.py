"""The model card: architecture, input and output, data, figures with their intervals, and what they do not say.

Figures are those of evidence that counts for the model; of two that answer one question, the later one's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hauberk.assurance.target import Model
from hauberk.core.evidence import Evidence
from hauberk.reports.numbers import NORMS, radius
from hauberk.reports.summary import summarize
from hauberk.reports.views import Share, Summary, Threat

_SHOWN = 40  # flags and limits of one card
_MADE = ("training", "hardening", "import")


def card_of(model: Model, datasets: list[str]) -> dict[str, Any]:
    """A ``modelCard`` as CycloneDX 1.6 and 1.7 have it.

    Args:
        datasets: references of the data's components.
    """
    parameters: dict[str, Any] = {"approach": {"type": "supervised"}, "task": "classification"}
    architecture = model.manifest.get("architecture", {})
    if named := architecture.get("name") or architecture.get("factory"):
        parameters["modelArchitecture"] = str(named)
    parameters["datasets"] = [{"ref": one} for one in datasets]
    parameters["inputs"] = [{"format": _input(model)}]
    parameters["outputs"] = [{"format": f"{model.manifest.get('outputs')}, {_classes(model)} classes"}]
    card: dict[str, Any] = {"bom-ref": f"card:{model.subject.digest}", "modelParameters": parameters}
    summary = _summary(model)
    if summary is not None:
        card["quantitativeAnalysis"] = {"performanceMetrics": list(_metrics(summary))}
        card["considerations"] = {"technicalLimitations": _limits(summary)}
    return card


def born(model: Model) -> list[Evidence]:
    """How the model came to be, oldest first."""
    return [one for one in model.born if one.kind in _MADE]


def _summary(model: Model) -> Summary | None:
    """What evidence about this very model says; a training's accuracy was measured on the way, and is none."""
    own = [
        one
        for one in model.evidence
        if one.subject.get("digest") == model.subject.digest and one.kind not in _MADE
    ]
    return summarize(own) if own else None


def _input(model: Model) -> str:
    given = model.manifest.get("input", {})
    low, high = given.get("bounds", (0, 1))
    return f"image, float32, shape {tuple(given.get('shape', ()))}, values in [{low:g}, {high:g}]"


def _classes(model: Model) -> int:
    return len(model.manifest.get("labels") or ())


def _metrics(summary: Summary) -> Iterator[dict[str, Any]]:
    for one in summary.models:
        yield _share("accuracy", Share(one.clean, one.clean_interval), one.samples, "", one.evidence)
        worst = Share(one.robust, one.robust_interval)
        yield _share("accuracy in the worst case", worst, one.samples, _threat(one.threat), one.evidence)
    for proof in summary.certificates:
        yield _share(
            "certified accuracy", proof.certified, proof.samples, _threat(proof.threat), proof.evidence
        )
    for seen in summary.detections:
        slice = f"{_threat(seen.threat)}, attacker knows the detector"
        yield _share("accuracy with a detector", seen.adaptive.robust, seen.samples, slice, seen.evidence)
    for harm in summary.corruptions:
        if harm.mean is not None:
            slice = f"mean over {len(harm.rows)} corruptions"
            yield _metric("accuracy under corruptions", harm.mean, harm.samples, slice, harm.evidence)
    for leak in summary.memberships:
        for guess in leak.attacks:
            for rate, found in sorted(guess.found.items()):
                slice = f"{guess.name}, {rate:g} false alarms"
                yield _share("members recognised", found, leak.members, slice, leak.evidence)


def _share(type: str, share: Share, samples: int, slice: str, evidence: str) -> dict[str, Any]:
    low, high = share.interval
    bounds = {"lowerBound": f"{low:.6g}", "upperBound": f"{high:.6g}"}
    return _metric(type, share.value, samples, slice, evidence) | {"confidenceInterval": bounds}


def _metric(type: str, value: float, samples: int, slice: str, evidence: str) -> dict[str, Any]:
    parts = [slice, f"{samples} samples", f"evidence {evidence}"]
    return {"type": type, "value": f"{value:.6g}", "slice": ", ".join(one for one in parts if one)}


def _threat(threat: Threat) -> str:
    goal = "targeted" if threat.targeted else "untargeted"
    asked = "" if threat.queries is None else f", at most {threat.queries} queries"
    return (
        f"{NORMS.get(threat.norm, threat.norm)} radius {radius(threat.eps)}, {goal}, {threat.knowledge}{asked}"
    )


def _limits(summary: Summary) -> list[str]:
    """What the figures do not say, and every warning that stands in the evidence."""
    found = ["Figures hold for the samples, threats and attacks that they name; other inputs may be worse."]
    found += [f"{flag.code}: {flag.message}" for part in summary.cautioned for flag in part.flags]
    return list(dict.fromkeys(found))[:_SHOWN]
