"""Reader for detectors: what a classifier that may refuse does to clean images, and to two attackers."""

from __future__ import annotations

from hauberk.reports.fields import Fields
from hauberk.reports.parts import flags, maybe_share, share, subject_digest, subject_name, threat
from hauberk.reports.views import Attacker, Detection, Tried


def detection(document: Fields) -> Detection:
    result = document.section("result")
    return Detection(
        name=subject_name(document),
        digest=subject_digest(document),
        threat=threat(document),
        detectors=tuple(one.text("name") for one in document.section("parameters").sections("detectors")),
        samples=result.count("samples"),
        network=share(result, "network_accuracy", "network_interval"),
        clean=share(result, "clean_accuracy", "clean_interval"),
        refused=share(result, "false_positive_rate", "false_positive_interval"),
        attacks=tuple(_tried(one) for one in result.sections("attacks")),
        oblivious=_attacker(result.section("oblivious")),
        adaptive=_attacker(result.section("adaptive")),
        flags=flags(result),
        evidence=document.digest,
    )


def _tried(one: Fields) -> Tried:
    return Tried(
        name=one.text("name"),
        recipe=one.recipe("recipe")[1],
        adaptive=one.flag("adaptive"),
        attacked=one.count("attacked"),
        fooled=one.count("fooled"),
        detected=one.count("detected"),
        evaded=one.count("evaded"),
        invalid=one.maybe_count("invalid") or 0,
    )


def _attacker(one: Fields) -> Attacker:
    return Attacker(
        fooled=one.count("fooled"),
        evaded=one.count("evaded"),
        detected=maybe_share(one, "detected_share", "detected_interval"),
        robust=share(one, "robust_accuracy", "robust_interval"),
        auc=maybe_share(one, "auc", "auc_interval"),
        found=maybe_share(one, "tpr_at_0.05", "tpr_at_0.05_interval"),
        roc=tuple(sorted(one.pairs("roc"))),
    )
