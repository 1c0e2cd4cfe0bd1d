"""The report as one JSON document: the same figures as the page, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from hauberk.core.evidence import Evidence
from hauberk.reports.judge import level
from hauberk.reports.summary import summarize
from hauberk.reports.views import Corruptions, Curve, History, Link, Membership, Model, Single

SCHEMA = "hauberk-report/1"
_PICTURES = ("gallery", "original", "row_gallery", "stamp_gallery")


def render_json(evidence: Sequence[Evidence]) -> dict[str, Any]:
    """What ``render_html`` shows, as plain JSON values without the pictures.

    Args:
        evidence: as for ``render_html``.

    Returns:
        ``{"schema": "hauberk-report/1", "models", "attacks", "curves", "histories", "imports", "certificates",
        "detections", "corruptions", "poisonings", "cleansings", "extractions", "memberships", "inversions",
        "sweeps", "deidentifications", "anonymizations", "evidence"}``. Every entry
        names the digest of the document it was read from under ``evidence``. ``verdict`` of a model is
        ``useless``, ``broken``, ``weak``, ``partly`` or ``holds``. ``accuracy_after_queries`` holds pairs
        ``[queries, accuracy]``, none where the verdicts cannot tell.

    Raises:
        DataError: no evidence, or a document that does not fit its schema.
    """
    summary = summarize(evidence)
    return {
        "schema": SCHEMA,
        "models": [_model(one) for one in summary.models],
        "attacks": [_single(one) for one in summary.singles],
        "curves": [_curve(one) for one in summary.curves],
        "histories": [_history(one) for one in summary.histories],
        "imports": [{**asdict(one), "conversions": list(one.conversions)} for one in summary.imports],
        "certificates": [_plain(one) for one in summary.certificates],
        "detections": [_plain(one) for one in summary.detections],
        "corruptions": [_corruptions(one) for one in summary.corruptions],
        "poisonings": [_plain(one) for one in summary.poisonings],
        "cleansings": [_plain(one) for one in summary.cleansings],
        "extractions": [_plain(one) for one in summary.extractions],
        "memberships": [_membership(one) for one in summary.memberships],
        "inversions": [_plain(one) for one in summary.inversions],
        "sweeps": [_plain(one) for one in summary.sweeps],
        "deidentifications": [_plain(one) for one in summary.deidentifications],
        "anonymizations": [_plain(one) for one in summary.anonymizations],
        "evidence": [_link(one) for one in summary.chain],
    }


def _model(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "digest": model.digest,
        "threat": asdict(model.threat),
        "samples": model.samples,
        "clean_accuracy": model.clean,
        "clean_interval": list(model.clean_interval),
        "robust_accuracy": model.robust,
        "robust_interval": list(model.robust_interval),
        "verdict": level(model),
        "attacks": [asdict(row) for row in model.attacks],
        "flags": [_plain(flag) for flag in model.flags],
        "accuracy_after_queries": _plain(model.spent),
        "evidence": model.evidence,
    }


def _single(one: Single) -> dict[str, Any]:
    return {
        "name": one.name,
        "digest": one.digest,
        "threat": asdict(one.threat),
        "attack": {"name": one.attack, "recipe": one.recipe},
        "samples": one.samples,
        "clean_accuracy": one.clean,
        "accuracy": one.accuracy,
        "interval": list(one.interval),
        "broke": one.broke,
        "queries_mean": one.queries_mean,
        "distance_median": one.distance_median,
        "invalid": one.invalid,
        "flags": [_plain(flag) for flag in one.flags],
        "accuracy_after_queries": _plain(one.spent),
        "evidence": one.evidence,
    }


def _curve(curve: Curve) -> dict[str, Any]:
    return {
        "name": curve.name,
        "threat": asdict(curve.threat),
        "attack": {"name": curve.attack, "recipe": curve.recipe},
        "points": [
            {"eps": eps, "accuracy": accuracy, "interval": list(bounds)}
            for eps, accuracy, bounds in curve.points
        ],
        "samples": curve.samples,
        "evidence": curve.evidence,
    }


def _corruptions(one: Corruptions) -> dict[str, Any]:
    rows = [
        {
            **_plain(row),
            "severities": [{"severity": at, **_plain(share)} for at, share in row.severities.items()],
        }
        for row in one.rows
    ]
    return {**_plain(one), "rows": rows}


def _membership(one: Membership) -> dict[str, Any]:
    attacks = [
        {**_plain(guess), "found": [{"rate": rate, **_plain(share)} for rate, share in guess.found.items()]}
        for guess in one.attacks
    ]
    return {**_plain(one), "attacks": attacks}


def _plain(value: Any) -> Any:
    """Records as objects and tuples as lists; pictures are left out."""
    if is_dataclass(value):
        names = [one.name for one in fields(value) if one.name not in _PICTURES]
        return {name: _plain(getattr(value, name)) for name in names}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _history(history: History) -> dict[str, Any]:
    return {
        "name": history.name,
        "kind": history.kind,
        "method": history.method,
        "epochs": [asdict(row) for row in history.epochs],
        "best_epoch": history.best_epoch,
        "parameters_count": history.parameters_count,
        "evidence": history.evidence,
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "kind": link.kind,
        "name": link.name,
        "digest": link.digest,
        "parents": list(link.parents),
        "seed": link.seed,
        "duration_s": link.duration_s,
        "created": link.created,
        "versions": dict(link.versions),
        "shown": link.shown,
    }
