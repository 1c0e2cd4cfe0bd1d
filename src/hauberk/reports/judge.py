"""What a reader is told in words: how a model fares, whether FGSM misleads, which terms need explaining."""

from __future__ import annotations

from hauberk.reports.views import Guess, Inversion, Inverted, Membership, Model, Summary

AIMS = ("trigger_success", "source_as_target")  # what a poisoner may be after, besides plain damage
_BROKEN, _WEAK, _PARTLY = 0.1, 0.5, 0.8  # shares of the right answers that withstood the attacks
_MISLEADS = 0.2  # FGSM alone leaves this much more accuracy than the worst case
_ALWAYS = ("clean", "interval")
_EVASION = ("adversarial", "threat", "radius", "worst", "training", "masking")
_ATTACK_TERMS = ("fgsm", "bim", "pgd", "apgd", "square")


def level(model: Model) -> str:
    """``useless``, ``broken``, ``weak``, ``partly`` or ``holds``, by the share of right answers left."""
    if model.clean == 0:
        return "useless"
    kept = model.robust / model.clean
    return next((word for word, most in _LEVELS if kept < most), "holds")


_LEVELS = (("broken", _BROKEN), ("weak", _WEAK), ("partly", _PARTLY))


def misled_by_fgsm(summary: Summary) -> list[tuple[Model, str, float]]:
    """The models that look better under FGSM alone than they are, with the attack's name and its accuracy."""
    return [
        (model, row.name, row.alone_accuracy)
        for model in summary.models
        for row in model.attacks
        if row.name.casefold().startswith("fgsm")  # its own samples, or some carried over from another model
        and row.alone_accuracy is not None
        and row.alone_accuracy - model.robust >= _MISLEADS - 1e-9
    ]


def strongest_guess(membership: Membership) -> Guess:
    """The attack that finds most members at the loosest of the compared rates, then by area."""
    loosest = max(membership.attacks[0].found)
    return max(membership.attacks, key=lambda one: (one.found[loosest].value, one.auc.value))


def clearest_inversion(inversion: Inversion) -> Inverted:
    """The attack whose pictures the judge recognises most often, then by likeness."""
    return max(inversion.attacks, key=lambda one: (one.recognised.value, one.mean_correlation))


def terms(summary: Summary) -> list[str]:
    """The glossary's entries this report needs."""
    names = [row.name for model in summary.models for row in model.attacks]
    names += [single.attack for single in summary.singles] + [curve.attack for curve in summary.curves]
    used = {name.casefold() for name in names}
    if only_people(summary):
        kinds = ("deidentifications", "anonymizations")
        found = [term for kind in kinds if getattr(summary, kind) for term in _OTHER_TERMS[kind]]
        return [*(["interval"] if summary.deidentifications else []), *found]
    evasion = (
        summary.examined
        or summary.certificates
        or summary.detections
        or summary.curves
        or summary.histories
        or not summary.others
    )
    return [
        *_ALWAYS,
        *(_EVASION if evasion else ()),
        *(one for one in _ATTACK_TERMS if any(name.startswith(one) for name in used)),
        *dict.fromkeys(
            term for kind, found in _OTHER_TERMS.items() if getattr(summary, kind) for term in found
        ),
    ]


def only_people(summary: Summary) -> bool:
    """Whether the report is about people in data, and about no model."""
    models = (
        summary.examined,
        summary.others,
        summary.curves,
        summary.histories,
        summary.imports,
        summary.sweeps,
    )
    people = summary.deidentifications or summary.anonymizations
    return bool(people) and not any(models)


_OTHER_TERMS = {
    "certificates": ("certificate",),
    "detections": ("detector", "adaptive"),
    "corruptions": ("corruption",),
    "poisonings": ("poisoning", "trigger"),
    "cleansings": ("poisoning", "trigger", "precision", "anomaly"),
    "extractions": ("fidelity", "transfer"),
    "memberships": ("membership", "false_alarms", "auc"),
    "inversions": ("inversion", "correlation"),
    "deidentifications": ("pseudonym",),
    "anonymizations": ("k_anonymity", "gcp"),
}
