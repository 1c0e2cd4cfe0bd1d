"""Attacks that judge a sample by the target's answer alone, and the classic attack classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hauberk.attacks.inference.confidence import log_probability, scaled_confidence
from hauberk.attacks.inference.membership import MembershipAttack
from hauberk.attacks.inference.table import LogitTable
from hauberk.core.settings import require_count


@dataclass(frozen=True, kw_only=True, repr=False)
class LossThreshold(MembershipAttack):
    """The smaller the loss, the likelier a member.

    Limits: takes easy samples for members. It says much on average and little about anybody: at a low
        false-positive rate it often finds nobody where LiRA finds many.
    Source: Yeom et al., Privacy Risk in Machine Learning, CSF 2018, adversary 2. The threshold is left to
        the judge, who looks at all of them.
    """

    name: ClassVar[str] = "loss"

    def score(self, table: LogitTable) -> Tensor:
        return log_probability(table.target[0], table.labels)


@dataclass(frozen=True, kw_only=True, repr=False)
class ModifiedEntropy(MembershipAttack):
    """Low entropy that agrees with the label speaks for a member; confident mistakes speak against.

    Limits: as the loss threshold.
    Source: Song and Mittal, Systematic Evaluation of Privacy Risks, USENIX Security 2021, eq. 8. Difference:
        one order for all samples; their thresholds by class need shadow models.
    """

    name: ClassVar[str] = "entropy"

    def score(self, table: LogitTable) -> Tensor:
        logits = table.target[0].double()
        log_p = F.log_softmax(logits, dim=1)
        # log(1 - p) of every class, from the scaled confidence of that class: exact where p rounds to 1
        classes = logits.shape[1]
        odds = torch.stack(
            [scaled_confidence(logits, torch.full_like(table.labels, one)) for one in range(classes)], dim=1
        )
        log_rest = F.logsigmoid(-odds)
        true = F.one_hot(table.labels, classes).bool()
        terms = torch.where(true, log_rest.exp() * log_p, log_p.exp() * log_rest)
        return terms.sum(dim=1)


@dataclass(frozen=True, kw_only=True, repr=False)
class ShadowClassifier(MembershipAttack):
    """A logistic regression for each class learns from shadow models how members are answered.

    What it sees of an answer: the scaled confidence in the true class and the ``top`` largest logarithms of
    the probabilities, sorted.

    Args:
        top: how many of the sorted probabilities it sees.

    Limits: one rule for all samples of a class, so it shares the loss threshold's weakness.
    Source: Shokri et al., Membership Inference Attacks Against Machine Learning Models, S&P 2017. Differences:
        logistic regression in place of a network; the shadow models' data are the samples in question.
    """

    name: ClassVar[str] = "shadow"
    needs_in: ClassVar[int] = 1
    needs_out: ClassVar[int] = 1
    _MOST: ClassVar[int] = 20_000  # rows a class learns from; more change nothing for a handful of weights

    top: int = 3

    def __post_init__(self) -> None:
        require_count("top", self.top, type(self).__name__)

    def score(self, table: LogitTable) -> Tensor:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        asked = self._features(table.target[0], table.labels)
        seen = self._features(table.shadows[:, 0], table.labels)
        scores = np.empty(len(table))
        for label in sorted(set(table.labels.tolist())):
            rows = (table.labels == label).numpy()
            examples = seen[:, rows].reshape(-1, seen.shape[-1])  # (models, n, f) -> (models * n, f)
            truth = table.inside.numpy()[:, rows].reshape(-1)
            stride = -(-len(examples) // self._MOST)
            rule = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            rule.fit(examples[::stride], truth[::stride])
            scores[rows] = rule.decision_function(asked[rows])
        return torch.from_numpy(scores)

    def _features(self, logits: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """``(..., n, 1 + top)``."""
        ordered = F.log_softmax(logits.double(), dim=-1).sort(dim=-1, descending=True).values[..., : self.top]
        features = torch.cat([scaled_confidence(logits, labels)[..., None], ordered], dim=-1)
        return np.asarray(features.numpy(), dtype=np.float64)
