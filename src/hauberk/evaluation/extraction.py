"""How well a stolen model imitates its victim, what each question bought, and what harm it can do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from hauberk.attacks import MIFGSM
from hauberk.attacks.extraction import Theft, Thief
from hauberk.attacks.gradient import GradientAttack
from hauberk.attacks.transfer import Transfer
from hauberk.attacks.transfer.transfer import check_recipe
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.intervals import wilson
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_count
from hauberk.datasets import Dataset
from hauberk.evaluation.chance import repeatable
from hauberk.evaluation.judge import judge, predictions
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels
from hauberk.threats import Geometry, Knowledge, Linf, Streams, ThreatModel

_DEFAULT_REACH = 0.1  # of the valid range: the radius of adversarial samples when nobody names one
_ATTACK = MIFGSM()


@dataclass(frozen=True, eq=False)
class ExtractionReport:
    """A theft, measured.

    Args:
        evidence: of kind ``extraction``.
        theft: the one with the whole budget.
        fidelity: share of test images on which surrogate and victim agree.
    """

    evidence: Evidence
    theft: Theft = field(repr=False)
    fidelity: float


@repeatable
def extraction_report(
    victim: Classifier,
    thief: Thief,
    pool: Dataset,
    test: Dataset,
    *,
    queries: int,
    knowledge: Knowledge | str = Knowledge.SCORES,
    budgets: Sequence[int] | None = None,
    threat: ThreatModel | Geometry | None = None,
    attack: GradientAttack = _ATTACK,
    seed: int = 0,
    name: str = "stolen",
    victim_name: str = "victim",
    progress: Progress = SILENT,
) -> ExtractionReport:
    """Steal a model and judge the result on data that the thief has not seen.

    Args:
        pool, queries, knowledge: see ``Thief``.
        test: judges; its images are no part of the budget.
        budgets: smaller budgets at which the theft is repeated from the start, for the curve of agreement
            against queries; None takes an eighth, a quarter and a half where the thief can use them.
        threat: for adversarial samples made on the surrogate; None takes Linf with a tenth of the valid range.
        attack: makes them.

    Raises:
        ConfigError, DataError: as ``Thief``; a budget in ``budgets`` outside 1 to ``queries``.

    Cost: one theft for each budget.
    Limits: agreement is counted on the test data's own kind of images. A thief with more patience, a better
        pool or another architecture may do better: the figure is a lower bound on what can be stolen.
    """
    started = time.perf_counter()
    check_classifier(victim)
    images = check_images(victim, test.images).detach().cpu().float()
    labels = check_labels(victim, test.labels, len(images)).cpu()
    allowed = ThreatModel.of(threat) if threat is not None else ThreatModel(_default_ball(victim))
    allowed.check_fits(victim.bounds, victim.input_shape)
    if allowed.targeted:
        raise ConfigError("adversarial samples are counted untargeted here: give the geometry alone")
    require_count("queries", queries, "extraction_report")
    thief.check_budget(queries, len(pool))  # before the smaller budgets, which may well do
    check_recipe(attack, (), "logits", where="extraction_report")
    steps = _default_budgets(thief, queries, len(pool)) if budgets is None else _checked(budgets, queries)
    said = predictions(victim, images)

    def steal(budget: int) -> Theft:
        return thief(
            victim, pool, queries=budget, knowledge=knowledge, seed=seed, name=name, victim_name=victim_name,
            progress=progress,
        )  # fmt: skip

    points = [_point(steal(budget), images, labels, said) for budget in steps]
    theft = steal(queries)
    points.append(_point(theft, images, labels, said))
    harm = _harm(victim, theft.surrogate, images, labels, said, allowed, attack, seed, progress)
    born = theft.surrogate.evidence[-1]
    evidence = Evidence(
        kind="extraction",
        subject={"name": name, "digest": theft.surrogate.digest},
        inputs={
            "model": {"name": victim_name, "digest": victim.digest},
            "pool": pool.describe(),
            "dataset": test.describe(),
        },
        parameters={
            "thief": theft.recipe,
            "queries": queries,
            "knowledge": theft.transcript.knowledge.word,
            "threat": ThreatModel(allowed.geometry, knowledge=Knowledge.LABELS).describe(),
            "attack": repr(attack),
        },
        result={
            "samples": len(images),
            "queries": theft.queries,
            "victim": _share(said == labels),
            "surrogate": {"accuracy": points[-1]["accuracy"], "interval": points[-1]["accuracy_interval"]},
            "fidelity": points[-1]["fidelity"],
            "fidelity_interval": points[-1]["interval"],
            "points": points,
            "history": [vars(one) for one in theft.history],
            "transfer": harm,
        },
        seed=seed,
        parents=(born.digest, *(one.digest for one in victim.evidence[-1:])),
        duration_s=round(time.perf_counter() - started, 3),
    )
    return ExtractionReport(evidence, theft, points[-1]["fidelity"])


def _checked(budgets: Sequence[int], queries: int) -> list[int]:
    for one in budgets:
        require_count("budgets", one, "extraction_report")
        if one > queries:
            raise ConfigError(f"budgets: {one} is more than the whole budget of {queries}")
    return sorted({*budgets} - {queries})


def _default_budgets(thief: Thief, queries: int, pool: int) -> list[int]:
    """An eighth, a quarter and a half of the budget, as far as the thief can start with them."""
    fitting = []
    for budget in sorted({queries // 8, queries // 4, queries // 2} - {0, queries}):
        try:
            thief.check_budget(budget, pool)
        except ConfigError:
            continue
        fitting.append(budget)
    return fitting


def _default_ball(victim: Classifier) -> Geometry:
    return Linf(_DEFAULT_REACH * min(victim.bounds.widths(victim.input_shape)))


def _share(right: Tensor) -> dict[str, Any]:
    count = int(right.sum())
    return {"accuracy": count / len(right), "interval": list(wilson(count, len(right)))}


def _point(theft: Theft, images: Tensor, labels: Tensor, said: Tensor) -> dict[str, Any]:
    """One budget: agreement with the victim (fidelity) and with the truth (accuracy)."""
    guess = predictions(theft.surrogate, images)
    fidelity, accuracy = _share(guess == said), _share(guess == labels)
    return {
        "queries": theft.queries,
        "fidelity": fidelity["accuracy"],
        "interval": fidelity["interval"],
        "accuracy": accuracy["accuracy"],
        "accuracy_interval": accuracy["interval"],
    }


def _harm(
    victim: Classifier,
    surrogate: Classifier,
    images: Tensor,
    labels: Tensor,
    said: Tensor,
    threat: ThreatModel,
    attack: GradientAttack,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """How many adversarial samples made on the surrogate fool the victim, beside noise of the same size.

    Noise goes to the edge of the ball, in a random direction.
    """
    rows = (said == labels).nonzero().squeeze(1)
    given = {"attacked": len(rows), "fooled": 0, "share": None, "interval": [0.0, 1.0], "invalid": 0,
             "noise_fooled": 0, "noise_share": None}  # fmt: skip
    if not len(rows):
        return given
    box = ThreatModel(threat.geometry, knowledge=Knowledge.LABELS)
    clean, truth = images[rows], labels[rows]
    made = Transfer(sources=(surrogate,), attack=attack)(
        victim, clean, truth, box, seed=seed, indices=rows, progress=progress
    ).candidates
    counted = judge(victim, clean, made, truth, box)
    noise = judge(victim, clean, _noise(victim, clean, rows, box, seed), truth, box)
    fooled, by_noise = int(counted.broken.sum()), int(noise.broken.sum())
    return given | {
        "fooled": fooled,
        "share": fooled / len(rows),
        "interval": list(wilson(fooled, len(rows))),
        "invalid": int(counted.invalid.sum()),
        "noise_fooled": by_noise,
        "noise_share": by_noise / len(rows),
    }


def _noise(victim: Classifier, images: Tensor, rows: Tensor, threat: ThreatModel, seed: int) -> Tensor:
    geometry = threat.geometry
    draws = Streams.for_samples(seed, rows, "extraction noise").normal(tuple(images.shape[1:]))
    length = geometry.step_scale(victim.bounds, victim.input_shape)
    lower, upper = victim.bounds.tensors(images)
    return geometry.project(images, images + length * geometry.steepest(draws), lower, upper)
