"""Who was in the training set? Scores of membership attacks, judged by somebody who knows.

An attack that is right on average is a curiosity; one that names a few people without ever being wrong is a
breach. So besides the area under the curve stands what is found at one false alarm in a hundred and in a
thousand (Carlini et al., S&P 2022, section III).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hauberk.attacks.inference import MembershipAttack, collect, paired_halves, shadow_models
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.evidence import Evidence
from hauberk.core.intervals import wilson
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.core.settings import require_count
from hauberk.datasets import Dataset
from hauberk.evaluation.chance import repeatable
from hauberk.evaluation.flags import Flag, few_samples, randomised
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, probe
from hauberk.models.training import TrainingPlan, accuracy

LOW_RATES = (0.01, 0.001)
_CURVE_MOST = 200  # points of a curve that evidence keeps
_BLIND_MOST = 1000  # samples a side that the blind baseline looks at
_BLIND_GAP = 0.05  # above chance, from which the blind baseline matters; below it nobody is misled
_BLIND_SIGMA = 4.0  # of independent scores; out-of-bag votes scatter a third more (seen in 60 clean splits)
_COPIES_MOST = 0.01  # share of a group that may stand in the other too: natural duplicates

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MembershipVerdict:
    """What scores are worth against the truth.

    Args:
        auc, auc_interval: chance that a member's score is above a non-member's (ties count half).
        found: for each rate of ``LOW_RATES``, the share of members above the lowest threshold whose share of
            false alarms is at most the rate; ties go against the attack.
        found_intervals: 95 % Wilson, at that threshold.
        advantage: largest TPR - FPR over all thresholds (Yeom et al. 2018), chosen with hindsight.
        balanced_accuracy: ``(1 + advantage) / 2``.
        roc: ``(fpr, tpr)`` from (0, ...) to (1, 1), at most 200, dense where FPR is small.
    """

    auc: float
    auc_interval: tuple[float, float]
    found: tuple[float, ...]
    found_intervals: tuple[tuple[float, float], ...]
    advantage: float
    balanced_accuracy: float
    roc: tuple[tuple[float, float], ...]

    def describe(self) -> dict[str, Any]:
        """JSON for evidence."""
        row: dict[str, Any] = {"auc": self.auc, "auc_interval": list(self.auc_interval)}
        for rate, share, interval in zip(LOW_RATES, self.found, self.found_intervals, strict=True):
            row |= {f"tpr_at_{rate:g}": share, f"tpr_at_{rate:g}_interval": list(interval)}
        return row | {
            "advantage": self.advantage,
            "balanced_accuracy": self.balanced_accuracy,
            "roc": [list(point) for point in self.roc],
        }


@dataclass(frozen=True, eq=False)
class MembershipReport:
    """Args:
    evidence: of kind ``membership``.
    members: boolean ``(n,)``, the truth about each scored sample.
    scores: by attack, float64 ``(n,)``.
    """

    evidence: Evidence
    members: Tensor
    scores: dict[str, Tensor]


def judge_membership(scores: Tensor, members: Tensor) -> MembershipVerdict:
    """Compare scores, float ``(n,)``, with the truth, boolean ``(n,)``.

    Raises:
        DataError: shapes that do not fit, NaN, or only members or non-members.

    Limits: the intervals speak of the samples, with this one target model; another training of the same
        network may leak more or less. They take the threshold as given.
    """
    if members.dtype != torch.bool or scores.shape != members.shape or scores.ndim != 1:
        raise DataError(f"scores {tuple(scores.shape)} and boolean members {tuple(members.shape)} do not fit")
    values = scores.double().cpu().numpy()
    truth = members.cpu().numpy()
    if np.isnan(values).any():
        raise DataError("a score is NaN")
    inside, outside = np.sort(values[truth]), np.sort(values[~truth])
    if not len(inside) or not len(outside):
        raise DataError(f"there must be members and non-members, got {len(inside)} and {len(outside)}")
    fpr, tpr = _curve(inside, outside)
    area = float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2))
    hits = [int((inside > _threshold(outside, rate)).sum()) for rate in LOW_RATES]
    advantage = float(np.max(tpr - fpr))
    return MembershipVerdict(
        auc=area,
        auc_interval=auc_interval(area, len(inside), len(outside)),
        found=tuple(one / len(inside) for one in hits),
        found_intervals=tuple(wilson(one, len(inside)) for one in hits),
        advantage=advantage,
        balanced_accuracy=(1 + advantage) / 2,
        roc=_thinned(fpr, tpr, len(outside)),
    )


def _threshold(outside: Numbers, rate: float) -> float:
    """The non-member's score that a member must exceed so that at most ``rate`` of non-members do.

    With ties at the threshold fewer false alarms than allowed remain, never more.
    """
    allowed = math.floor(rate * len(outside) + 1e-9)
    return float(outside[len(outside) - 1 - allowed])


def _curve(inside: Numbers, outside: Numbers) -> tuple[Numbers, Numbers]:
    """FPR and TPR at every distinct score taken as threshold (score >= it), from (0, 0) to (1, 1)."""
    edges = np.unique(np.concatenate([inside, outside]))[::-1]
    fpr = 1 - np.searchsorted(outside, edges, side="left") / len(outside)
    tpr = 1 - np.searchsorted(inside, edges, side="left") / len(inside)
    return np.concatenate([[0.0], fpr]), np.concatenate([[0.0], tpr])


def _thinned(fpr: Numbers, tpr: Numbers, non_members: int) -> tuple[tuple[float, float], ...]:
    """The best point up to each of some rates, spaced by logarithm from one false alarm on, then evenly."""
    low = np.geomspace(1 / non_members, 1, 3 * _CURVE_MOST // 4 - 1)
    rates = np.unique(np.concatenate([[0.0], low, np.linspace(0, 1, _CURVE_MOST // 4)]))
    last = np.searchsorted(fpr, rates + 1e-12, side="right") - 1
    return tuple((float(fpr[one]), float(tpr[one])) for one in np.unique(last))


def auc_interval(area: float, members: int, non_members: int) -> tuple[float, float]:
    """95 % interval for an area under the curve, good near 0 and 1 too.

    All areas that lie within 1.96 of their own standard errors of the one seen, as Wilson's interval does for
    a share.

    Source: Newcombe, Statistics in Medicine 2006, method 5.
    """

    def apart(true: float) -> float:
        count = (members + non_members) / 2
        shape = 2 * count - 1 - 3 * (count - 1) / ((2 - true) * (1 + true))
        return abs(area - true) - 1.959963984540054 * math.sqrt(
            true * (1 - true) * shape / (members * non_members)
        )

    def edge(end: float) -> float:
        if abs(area - end) < 1e-12:
            return end
        near, far = area, end  # apart <= 0 at near, >= 0 at far
        for _ in range(60):
            middle = (near + far) / 2
            near, far = (middle, far) if apart(middle) <= 0 else (near, middle)
        return near

    return edge(0.0), edge(1.0)


def trained_on(classifier: Classifier, train: Dataset) -> Dataset:
    """The samples of a training split that a classifier's own records say it learnt from, digests compared.

    Raises:
        ConfigError: no record of a training, or of one on other data.
    """
    learnt = [
        one.parameters.get("made_from", one.inputs["dataset"])
        for one in classifier.evidence
        if one.kind in ("training", "hardening")
    ]
    if not learnt:
        raise ConfigError(
            "the package does not say what its model was trained on, so nobody knows who is a member",
            hint="let the audit train the target itself: --arch cnn --out DIR in place of PKG",
        )
    most = max(learnt, key=lambda facts: int(facts["samples"]))
    if int(most["samples"]) <= len(train):
        found = train.head(int(most["samples"]))
        if found.digest == most["digest"]:
            return found
    raise ConfigError(f"the model was trained on {most['name']}, which is not the beginning of {train.name}")


def learnt_how(classifier: Classifier) -> TrainingPlan:
    """The plan of a classifier's last training or hardening."""
    plans = [one.parameters["plan"] for one in classifier.evidence if one.kind in ("training", "hardening")]
    if not plans:
        raise ConfigError("the package does not say how its model was trained")
    return TrainingPlan(**plans[-1])


@repeatable
def membership_report(
    target: Classifier,
    members: Dataset,
    non_members: Dataset,
    attacks: Sequence[MembershipAttack],
    *,
    shadows: int = 0,
    plan: TrainingPlan | None = None,
    scored: int | None = None,
    views: int = 1,
    random_split: bool = False,
    folder: str | Path | None = None,
    seed: int = 0,
    name: str = "model",
    progress: Progress = SILENT,
) -> MembershipReport:
    """Run membership attacks on a target whose training set is known, and judge them.

    Args:
        members: what the target was trained on.
        non_members: what it never saw.
        shadows: how many shadow models to train, each on a random half of both together; 0: none.
        plan: how they learn; needed with ``shadows``, and the target's own for a fair picture.
        scored: look at this many random members and non-members only; None: all.
        views: see ``collect``.
        random_split: chance alone decided who is a member; else a flag warns.
        folder: where shadow models are kept and found again.
        name: of the target, for the evidence.

    Raises:
        ConfigError: settings that do not fit each other, or groups that overlap.

    Limits: an upper bound for nobody and a lower bound for what leaks: a better attack may find more. The
        attacker is assumed to have data of the same kind, here the very samples, without knowing who is in.
    """
    started = time.perf_counter()
    check_classifier(target)
    _check_settings(attacks, shadows, plan, scored, members, non_members)
    pool = replace(
        members,
        name=f"{members.name} + {non_members.name}",
        images=torch.cat([members.images, non_members.images]),
        labels=torch.cat([members.labels, non_members.labels]),
    )
    chosen = _chosen(len(members), len(non_members), scored, seed)
    truth = chosen < len(members)
    data = pool.select(chosen, note=f"{len(chosen)} scored")
    inside = paired_halves(shadows, len(pool), seed=seed) if shadows else torch.zeros(0, len(pool)).bool()
    models = (
        shadow_models(target, pool, inside, plan, seed=seed, folder=folder, progress=progress)
        if plan is not None
        else ()
    )
    table = collect(target, data, shadows=models, inside=inside[:, chosen], views=views)
    blind = _blind(data, truth, seed)
    rows, scores = [], {}
    for attack in attacks:
        begun = time.perf_counter()
        scores[attack.name] = attack(table)
        verdict = judge_membership(scores[attack.name], truth)
        row = {"name": attack.name, "recipe": repr(attack), **verdict.describe()}
        rows.append({**row, "seconds": round(time.perf_counter() - begun, 3)})
    strangers = int((~truth).sum())
    methods = [one.parameters["method"] for one in target.evidence if one.kind in ("training", "hardening")]
    behaviour = probe(target, data.images)
    found = [
        *few_samples(min(len(chosen) - strangers, strangers)),
        *too_few_non_members(strangers),
        *told_apart_blindly(blind, _blind_side(truth)),
        *not_split_at_random(random_split),
        *shadows_learn_otherwise(methods if shadows else []),
        *randomised(behaviour.largest_change if behaviour.randomized else None),
    ]
    evidence = Evidence(
        kind="membership",
        subject={"name": name, "digest": target.digest},
        inputs={"members": members.describe(), "non_members": non_members.describe()},
        parameters={
            "attacks": [repr(attack) for attack in attacks],
            "shadows": shadows,
            "shadow_plan": asdict(plan) if shadows and plan is not None else None,
            "scored": scored,
            "views": views,
            "random_split": random_split,
            "device": str(target.device),
        },
        result={
            "members": len(chosen) - strangers,
            "non_members": strangers,
            "member_accuracy": accuracy(target, data.images[truth], data.labels[truth]),
            "non_member_accuracy": accuracy(target, data.images[~truth], data.labels[~truth]),
            "attacks": rows,
            "blind": {"auc": blind.auc, "auc_interval": list(blind.auc_interval)},
            "flags": [flag.describe() for flag in found],
        },
        seed=seed,
        parents=(target.evidence[-1].digest,) if target.evidence else (),
        duration_s=round(time.perf_counter() - started, 3),
    )
    return MembershipReport(evidence, truth, scores)


def _check_settings(
    attacks: Sequence[MembershipAttack],
    shadows: int,
    plan: TrainingPlan | None,
    scored: int | None,
    members: Dataset,
    non_members: Dataset,
) -> None:
    names = [attack.name for attack in attacks]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"name at least one membership attack, each once; got {names}")
    comparing = [attack.name for attack in attacks if attack.needs_shadows()]
    if comparing and not shadows:
        raise ConfigError(f"{comparing[0]} needs shadow models", hint="--shadows 16, or more")
    if shadows and not comparing:
        raise ConfigError(f"none of {', '.join(names)} looks at shadow models", hint="leave out --shadows")
    if bool(shadows) != (plan is not None):
        raise ConfigError("shadows and plan belong together: how many models, and how they learn")
    if scored is not None:
        require_count("scored", scored, "membership_report")
        if scored > min(len(members), len(non_members)):
            raise ConfigError(
                f"cannot score {scored} of each: there are {len(members)} members and {len(non_members)} "
                "non-members"
            )
    if members.input_shape != non_members.input_shape or members.classes != non_members.classes:
        raise ConfigError(f"{members.name} and {non_members.name} are not of one kind")
    both = len(_rows(members) & _rows(non_members))
    if both > _COPIES_MOST * min(len(members), len(non_members)):
        raise ConfigError(f"{both} samples are in {members.name} and in {non_members.name}: nobody is both")


def _rows(data: Dataset) -> set[bytes]:
    return {one.tobytes() for one in data.images.numpy()}


def _chosen(members: int, non_members: int, scored: int | None, seed: int) -> Tensor:
    """Which rows of the pool are scored, in order."""
    if scored is None:
        return torch.arange(members + non_members)
    source = torch.Generator().manual_seed(derive_seed(seed, "scored"))
    first = torch.randperm(members, generator=source)[:scored]
    second = members + torch.randperm(non_members, generator=source)[:scored]
    return torch.cat([first, second]).sort().values


def _blind_side(truth: Tensor) -> int:
    """Samples a side for the blind baseline: equally many, or the forest votes for the larger side."""
    members = int(truth.sum())
    return min(_BLIND_MOST, members, len(truth) - members)


def _blind(data: Dataset, truth: Tensor, seed: int) -> MembershipVerdict:
    """How well members are told from non-members by a random forest that never asks the model.

    Source: Das et al., Blind Baselines Beat Membership Inference Attacks, 2024: where this succeeds, the
        groups differ in kind, and an attack's success proves no leak.
    """
    from sklearn.ensemble import RandomForestClassifier

    source = torch.Generator().manual_seed(derive_seed(seed, "blind"))
    sides = [(truth == side).nonzero().squeeze(1) for side in (True, False)]
    most = _blind_side(truth)
    rows = torch.cat([side[torch.randperm(len(side), generator=source)[:most]] for side in sides])
    features = torch.cat([data.images[rows].flatten(1), data.labels[rows, None].float()], dim=1)
    if len(rows) < 4:
        return judge_membership(torch.zeros(len(rows)), truth[rows])
    forest = RandomForestClassifier(
        100, oob_score=True, min_samples_leaf=2, random_state=derive_seed(seed, "forest") % 2**32
    )
    forest.fit(features.numpy(), truth[rows].numpy())
    votes = torch.from_numpy(np.nan_to_num(forest.oob_decision_function_[:, 1], nan=0.5))
    return judge_membership(votes, truth[rows])


def too_few_non_members(count: int) -> list[Flag]:
    """HB301: a rate below one in ``count`` cannot be seen."""
    missed = [f"{rate:.1%}" for rate in LOW_RATES if count * rate < 1 - 1e-9]
    if not missed:
        return []
    return [
        Flag(
            "HB301",
            f"{count} non-members are too few to measure a false-alarm rate of {' or '.join(missed)}: the "
            "figures there are for no false alarm at all",
        )
    ]


def told_apart_blindly(blind: MembershipVerdict, side: int) -> list[Flag]:
    """HB302: the groups, ``side`` samples of each, differ without the model."""
    sigma = math.sqrt((2 * side + 1) / 12) / side  # of the AUC where nothing is to be found
    if blind.auc < 0.5 + max(_BLIND_GAP, _BLIND_SIGMA * sigma):
        return []
    return [
        Flag(
            "HB302",
            f"members and non-members are told apart without asking the model (AUC {blind.auc:.3f}): they "
            "differ in kind, and part of what the attacks find may be that",
        )
    ]


def not_split_at_random(random_split: bool) -> list[Flag]:
    """HB303: who is a member was not decided by chance."""
    if random_split:
        return []
    return [
        Flag(
            "HB303",
            "members are training images and non-members test images: if the two differ in kind, attacks "
            "seem stronger or weaker than they are",
        )
    ]


def shadows_learn_otherwise(methods: Sequence[str]) -> list[Flag]:
    """HB304: shadow models are trained plainly, the target was not."""
    if all(one == "plain" for one in methods):
        return []
    return [
        Flag(
            "HB304",
            f"shadow models learn plainly, the target learnt by {' then '.join(methods)}: they are a poor "
            "likeness, and the attacks that compare with them may find too little",
        )
    ]
