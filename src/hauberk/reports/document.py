"""The report as one JSON document: the same figures as the page, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hauberk.core.evidence import Evidence
from hauberk.reports.judge import level
from hauberk.reports.summary import summarize
from hauberk.reports.views import Curve, History, Link, Model, Single

SCHEMA = "hauberk-report/1"


def render_json(evidence: Sequence[Evidence]) -> dict[str, Any]:
    """What ``render_html`` shows, as plain JSON values without the pictures.

    Args:
        evidence: as for ``render_html``.

    Returns:
        ``{"schema": "hauberk-report/1", "models", "attacks", "curves", "histories", "imports", "evidence"}``.
        Every entry names the digest of the document it was read from under ``evidence``. ``verdict`` of a
        model is ``useless``, ``broken``, ``weak``, ``partly`` or ``holds``.

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
        "flags": [{"code": code, "message": message} for code, message in model.flags],
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
