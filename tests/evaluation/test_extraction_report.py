"""The judge of a theft: figures counted again by hand, on data that the thief has not seen."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hauberk.attacks.extraction import JacobianAugmentation, KnockoffNets
from hauberk.attacks.pgd import PGD
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.evaluation import wilson
from hauberk.evaluation.extraction import ExtractionReport, extraction_report
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan
from hauberk.threats import L2, Linf, ThreatModel

QUICK: dict[str, Any] = {
    "plan": TrainingPlan(epochs=3, batch_size=32, learning_rate=5e-3, schedule="one-cycle"),
    "architecture": "mlp",
    "args": {"hidden": [64]},
    "least_steps": 150,
}


@pytest.fixture(scope="module")
def report(plain: Classifier, digits: Dataset, digits_train: Dataset) -> ExtractionReport:
    return extraction_report(
        plain, KnockoffNets(**QUICK), digits_train, digits, queries=400, knowledge="labels",
        threat=Linf(0.2), seed=3, name="copy", victim_name="plain",
    )  # fmt: skip


def test_figures_counted_by_hand(report: ExtractionReport, plain: Classifier, digits: Dataset) -> None:
    result = report.evidence.result
    with torch.no_grad():
        said = plain(digits.images).argmax(1)
        guess = report.theft.surrogate(digits.images).argmax(1)
    same, right = int((said == guess).sum()), int((guess == digits.labels).sum())
    assert result["samples"] == len(digits)
    assert result["fidelity"] == report.fidelity == same / len(digits)
    assert result["fidelity_interval"] == list(wilson(same, len(digits)))
    assert result["surrogate"] == {
        "accuracy": right / len(digits),
        "interval": list(wilson(right, len(digits))),
    }
    assert result["victim"]["accuracy"] == int((said == digits.labels).sum()) / len(digits)
    assert result["queries"] == report.theft.queries == 400


def test_agreement_rises_with_queries(report: ExtractionReport) -> None:
    points = report.evidence.result["points"]
    assert [point["queries"] for point in points] == [50, 100, 200, 400]
    assert points[-1]["fidelity"] > 0.85  # chance: 0.1
    assert points[-1]["fidelity"] > points[0]["fidelity"] + 0.05
    assert all(low <= point["fidelity"] <= high for point in points for low, high in [point["interval"]])


def test_samples_made_on_the_surrogate_fool_the_victim(
    report: ExtractionReport, plain: Classifier, digits: Dataset
) -> None:
    harm = report.evidence.result["transfer"]
    with torch.no_grad():
        assert harm["attacked"] == int((plain(digits.images).argmax(1) == digits.labels).sum())
    assert harm["invalid"] == 0
    assert harm["share"] == harm["fooled"] / harm["attacked"]
    # seen: 0.7 to 0.9 against 0.05; the intervals are far apart
    assert harm["interval"][0] > wilson(harm["noise_fooled"], harm["attacked"])[1] + 0.2


def test_evidence_names_victim_pool_and_judge(
    report: ExtractionReport, plain: Classifier, digits: Dataset, digits_train: Dataset
) -> None:
    document = report.evidence
    assert document.kind == "extraction"
    assert Evidence.from_json(document.to_json()) == document
    assert document.subject == {"name": "copy", "digest": report.theft.surrogate.digest}
    assert document.inputs["model"] == {"name": "plain", "digest": plain.digest}
    assert document.inputs["pool"] == digits_train.describe()
    assert document.inputs["dataset"] == digits.describe()
    born = report.theft.surrogate.evidence[-1]
    assert document.parents == (born.digest, plain.evidence[-1].digest)
    assert born.kind == "training"
    assert born.parameters["victim"] == {"name": "plain", "digest": plain.digest}
    assert document.parameters["knowledge"] == "labels"
    assert document.parameters["threat"]["eps"] == 0.2


def test_budgets_and_threats_of_ones_own(plain: Classifier, digits: Dataset, digits_train: Dataset) -> None:
    thief = JacobianAugmentation(seeds=20, **QUICK | {"least_steps": 30})
    report = extraction_report(
        plain, thief, digits_train, digits.head(50), queries=60, budgets=(20, 40, 60), threat=L2(0.5),
        attack=PGD(steps=3),
    )  # fmt: skip
    assert [one["queries"] for one in report.evidence.result["points"]] == [20, 40, 60]
    assert report.evidence.parameters["threat"]["norm"] == "l2"
    # an eighth of 60 does not pay for 20 seeds, nor does a quarter
    report = extraction_report(plain, thief, digits_train, digits.head(50), queries=60)
    assert [one["queries"] for one in report.evidence.result["points"]] == [30, 60]
    assert report.evidence.parameters["threat"]["eps"] == pytest.approx(0.1)


def test_refusals(plain: Classifier, digits: Dataset, digits_train: Dataset) -> None:
    def call(**changed: Any) -> object:
        given: dict[str, Any] = {"queries": 50, **changed}
        return extraction_report(plain, KnockoffNets(**QUICK), digits_train, digits, **given)

    for message, changed in [
        ("more than the whole budget", {"budgets": (60,)}),
        ("budgets must be", {"budgets": (0,)}),
        ("queries must be", {"queries": 0}),
        ("larger than the valid range", {"threat": Linf(3.0)}),
        ("untargeted", {"threat": ThreatModel(Linf(0.1), targeted=True)}),
        ("the pool has 1442 images", {"queries": 5000}),
        ("by steps", {"attack": "pgd"}),
    ]:
        with pytest.raises(ConfigError, match=message):
            call(**changed)
