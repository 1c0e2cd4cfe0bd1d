"""An evaluation or an attack as a card in a notebook: the report's figures and pictures, in little space."""

from __future__ import annotations

from collections.abc import Sequence

from hauberk.core.display import Card
from hauberk.core.evidence import Evidence
from hauberk.reports.galleries import tiles
from hauberk.reports.numbers import NORMS, amount, interval, percent, radius, seconds
from hauberk.reports.summary import summarize
from hauberk.reports.views import Flag, Model, Sample, Single, Threat

_PAIRS = 6


def evaluation_card(evidence: Evidence) -> Card:
    """What evidence of kind ``evaluation`` or ``attack`` says.

    Raises:
        DataError: of another kind, or malformed.
    """
    summary = summarize([evidence])
    (found,) = summary.examined
    return _model(found) if isinstance(found, Model) else _single(found)


def _model(found: Model) -> Card:
    low, high = found.robust_interval
    rows = tuple(
        (
            row.name,
            amount(row.attacked),
            amount(row.broke),
            percent(row.alone_accuracy),
            percent(row.robust_after),
            seconds(row.seconds),
        )
        for row in found.attacks
    )
    return Card(
        heading=f"{found.name}, {_threat(found.threat)}",
        figure=percent(found.robust),
        under=f"right in the worst case, 95 % interval {interval(found.robust_interval)}",
        bar=(low, found.robust, high),
        facts=(
            ("without attack", f"{percent(found.clean)} of {amount(found.samples)} samples"),
            ("model", found.digest),
            ("evidence", found.evidence),
        ),
        tables=(("", ("attack", "given", "broke", "alone", "left after", "seconds"), rows),),
        warnings=_warnings(found.flags),
        pairs=_pairs(found.gallery),
    )


def _single(found: Single) -> Card:
    low, high = found.interval
    return Card(
        heading=f"{found.name}, {_threat(found.threat)}",
        figure=percent(found.accuracy),
        under=f"right under {found.attack} alone, 95 % interval {interval(found.interval)}",
        bar=(low, found.accuracy, high),
        facts=(
            ("without attack", f"{percent(found.clean)} of {amount(found.samples)} samples"),
            ("evidence", found.evidence),
        ),
        warnings=(f"one attack is not the worst case: {found.recipe}", *_warnings(found.flags)),
        pairs=_pairs(found.gallery),
    )


def _threat(found: Threat) -> str:
    goal = "targeted" if found.targeted else "untargeted"
    return f"{NORMS.get(found.norm, found.norm)} radius {radius(found.eps)}, {goal}, {found.knowledge}"


def _warnings(flags: Sequence[Flag]) -> tuple[str, ...]:
    return tuple(f"{one.code}: {one.message}" for one in flags)


def _pairs(gallery: Sequence[Sample]) -> tuple[tuple[str, str, str], ...]:
    """Original and attacked image; what the model reads in either."""
    return tuple(
        (one.original, one.adversarial, f"{one.sample.clean_prediction} → {one.sample.prediction}")
        for one in tiles(gallery[:_PAIRS])
    )
