"""Detectors measured: each figure counted again by hand, and what looks good falls to who knows of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from sklearn.metrics import roc_auc_score, roc_curve

from hauberk.attacks import APGD, PGD
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.defenses import make
from hauberk.defenses.defense import wrap
from hauberk.evaluation import evaluate, standard_cascade, wilson
from hauberk.evaluation.detection import DetectionReport, detection_report, undetected
from hauberk.evaluation.detection_board import suspicion
from hauberk.models import Classifier
from hauberk.models.parts import BitDepth, Confidence, Smoothing
from hauberk.reports import render_html, render_json
from hauberk.threats import Knowledge, Linf, ThreatModel

THREAT = Linf(0.1)
COUNT = 120


@pytest.fixture(scope="module")
def few(digits: Dataset) -> Dataset:
    return digits.head(COUNT)


@pytest.fixture(scope="module")
def wary(plain: Classifier, digits_train: Dataset) -> Classifier:
    """Refuses where it is unsure."""
    return make("confidence").fit(plain, digits_train, THREAT, name="wary")


@pytest.fixture(scope="module")
def report(wary: Classifier, few: Dataset) -> DetectionReport:
    return detection_report(wary, few, THREAT, name="wary")


@torch.no_grad()
def said(classifier: Classifier, images: torch.Tensor) -> torch.Tensor:
    return classifier(images).argmax(1)


def test_what_looks_good_falls_to_who_knows_of_it(report: DetectionReport) -> None:
    result = report.evidence.result
    unknowing, knowing = result["oblivious"], result["adaptive"]
    first = result["attacks"][0]
    assert first["name"] == "pgd on the network"
    assert first["detected"] == first["fooled"] > 20  # a perfect detector, it seems
    assert first["robust_after"] == result["clean_accuracy"]
    assert knowing["detected_share"] < 0.6
    assert knowing["robust_accuracy"] < first["robust_after"] - 0.1
    assert knowing["robust_accuracy"] < unknowing["robust_accuracy"]


def test_clean_images_are_counted_as_they_are(report: DetectionReport, wary: Classifier, few: Dataset) -> None:
    result, answers = report.evidence.result, said(wary, few.images)
    refused, right = int((answers == 10).sum()), int((answers == few.labels).sum())
    assert result["false_positive_rate"] == refused / COUNT
    assert result["false_positive_interval"] == list(wilson(refused, COUNT))
    assert result["clean_accuracy"] == right / COUNT
    network = said(undetected(wary), few.images) == few.labels
    assert result["network_accuracy"] == int(network.sum()) / COUNT
    assert (result["mistakes"], result["mistakes_refused"]) == (
        int((~network).sum()),
        int((~network & (answers == 10)).sum()),
    )


def test_without_its_detector_it_is_the_network_before(
    plain: Classifier, wary: Classifier, few: Dataset
) -> None:
    assert not undetected(wary).rejects
    assert torch.equal(undetected(wary)(few.images), plain(few.images))


def test_candidates_are_what_the_verdicts_say(report: DetectionReport, wary: Classifier, few: Dataset) -> None:
    result, verdicts = report.evidence.result, report.evidence.result["verdicts"]
    change = (report.candidates - few.images).flatten(1).abs().amax(1)
    assert float(change.max()) <= 0.1 + 1e-5
    answers, network = said(wary, report.candidates), said(undetected(wary), report.candidates)
    clean = said(wary, few.images)
    for row, verdict in enumerate(verdicts):
        if clean[row] != few.labels[row]:
            truth = "refused" if clean[row] == 10 else "misclassified"
        elif answers[row] not in (few.labels[row], 10):
            truth = "evaded"
        elif network[row] != few.labels[row]:
            truth = "detected"
        else:
            truth = "robust"
        assert verdict["status"] == truth, row
        assert (verdict["by"] is not None) == (truth == "evaded") == bool(report.evaded[row])
    statuses = [one["status"] for one in verdicts]
    count = {status: statuses.count(status) for status in ("detected", "evaded", "robust")}
    knowing = result["adaptive"]
    assert (knowing["fooled"], knowing["evaded"]) == (count["detected"] + count["evaded"], count["evaded"])
    assert knowing["detected_share"] == count["detected"] / knowing["fooled"]
    assert knowing["robust_accuracy"] == (count["detected"] + count["robust"]) / COUNT
    lost = COUNT - sum(count.values())
    assert result["clean_accuracy"] == pytest.approx((COUNT - lost) / COUNT)


def test_the_curve_is_that_of_scikit_learn(report: DetectionReport, wary: Classifier, few: Dataset) -> None:
    fooling = [one["status"] in ("detected", "evaded") for one in report.evidence.result["verdicts"]]
    scores = torch.cat([suspicion(wary, few.images), suspicion(wary, report.candidates[fooling])])
    truth = torch.cat([torch.zeros(COUNT), torch.ones(sum(fooling))])
    found = report.evidence.result["adaptive"]
    assert found["auc"] == pytest.approx(roc_auc_score(truth, scores))
    fpr, tpr, _ = roc_curve(truth, scores)
    assert found["tpr_at_0.05"] == pytest.approx(max(t for f, t in zip(fpr, tpr, strict=True) if f <= 0.05))


def test_suspicion_is_above_zero_exactly_where_an_input_is_refused(wary: Classifier, few: Dataset) -> None:
    assert torch.equal(suspicion(wary, few.images) > 0, said(wary, few.images) == 10)


def test_the_whole_cascade_is_adaptive_too(wary: Classifier, report: DetectionReport, few: Dataset) -> None:
    measured = evaluate(wary, few.images, few.labels, THREAT)
    result = report.evidence.result
    assert measured.clean_accuracy == result["clean_accuracy"]
    assert measured.robust_accuracy <= result["oblivious"]["robust_accuracy"]
    statuses = {one.index: one.status for one in measured.verdicts}
    refused = [one["index"] for one in result["verdicts"] if one["status"] == "refused"]
    assert refused
    assert {statuses[index] for index in refused} == {"misclassified"}  # a refused clean image is lost


def test_blocked_gradients_are_bridged(plain: Classifier, digits_train: Dataset, few: Dataset) -> None:
    squeezed = make("feature-squeezing", bits=3, median=0).fit(plain, digits_train, THREAT)
    measured = detection_report(
        squeezed, few.head(60), THREAT, oblivious=[PGD(steps=10)], adaptive=[APGD(steps=20, objective="margin")]
    )
    result: dict[str, Any] = dict(measured.evidence.result)
    names = [row["name"] for row in result["attacks"]]
    assert names == [
        "pgd on the network",
        "apgd (crossing) on the whole",
        "apgd (straight-through) on the whole",
    ]
    assert result["oblivious"]["attacks"] == names[:1]
    assert measured.evidence.parameters["detectors"][0]["gradient"] == "blocked"
    assert {flag["code"] for flag in result["flags"]} == {"HB103"}


def test_who_does_not_know_of_the_detector_knows_of_what_blocks(plain: Classifier, few: Dataset) -> None:
    """Rounding has no slope: without a bridge the first row would show a network that nobody can fool."""
    wary = wrap(wrap(plain, BitDepth(3)), Confidence(10, "margin", threshold=-0.5))
    found = detection_report(
        wary, few.head(40), Linf(0.2), oblivious=[PGD(steps=20)], adaptive=[APGD(steps=2, objective="margin")]
    ).evidence.result["attacks"][0]
    assert found["name"] == "pgd (straight-through) on the network"
    assert found["fooled"] > 0.8 * found["attacked"]
    blind = PGD(steps=20)(undetected(wary), few.images[:40], few.labels[:40], Linf(0.2))
    assert int((blind.success & ~blind.misclassified).sum()) < 0.3 * found["attacked"]


def test_smoothed_answers_are_averaged_as_in_the_worst_case(plain: Classifier, few: Dataset) -> None:
    smooth = wrap(wrap(plain, Smoothing(0.05, samples=8)), Confidence(10, "margin", threshold=-0.5))
    measured = detection_report(smooth, few.head(5), THREAT, adaptive=[APGD(steps=2, eot=2)])
    recipes = measured.evidence.parameters["oblivious"]
    assert len(recipes) == 2
    assert all("eot=2" in one for one in recipes)  # 16 answers a point, 8 of them the model's own copies


def test_nothing_to_find(wary: Classifier, few: Dataset) -> None:
    measured = detection_report(wary, few.head(30), Linf(1e-4)).evidence.result
    for attacker in (measured["oblivious"], measured["adaptive"]):
        assert attacker["fooled"] == attacker["evaded"] == 0
        assert attacker["detected_share"] is attacker["auc"] is attacker["tpr_at_0.05"] is None
        assert attacker["robust_accuracy"] == measured["clean_accuracy"]


def test_the_same_seed_gives_the_same_figures(wary: Classifier, few: Dataset) -> None:
    def again(seed: int) -> list[Any]:
        found = detection_report(
            wary, few.head(40), THREAT, oblivious=[PGD(steps=5)], adaptive=[APGD(steps=5)], seed=seed
        )
        return [found.evidence.result["verdicts"], found.candidates.tolist()]

    assert again(3) == again(3) != again(4)


def test_evidence_and_report(report: DetectionReport, wary: Classifier, tmp_path: Path) -> None:
    document = Evidence.load(report.evidence.save(tmp_path))
    assert document == report.evidence
    assert document.subject == {"name": "wary", "digest": wary.digest}
    assert document.parents == (wary.evidence[-1].digest,)
    page = render_html([*wary.evidence, document])
    assert 'id="detection"' in page
    (entry,) = render_json([document])["detections"]
    assert entry["adaptive"]["robust"]["value"] == document.result["adaptive"]["robust_accuracy"]
    report.save_candidates(tmp_path / "found.safetensors")
    kept = safetensors.torch.load_file(tmp_path / "found.safetensors")
    assert torch.equal(kept["images"], report.candidates)
    assert torch.equal(kept["evaded"].bool(), report.evaded)


def test_misuse(plain: Classifier, wary: Classifier, few: Dataset) -> None:
    with pytest.raises(ConfigError, match="refuses nothing"):
        detection_report(plain, few, THREAT)
    for threat in (ThreatModel(THREAT, targeted=True), ThreatModel(THREAT, knowledge=Knowledge.SCORES)):
        with pytest.raises(ConfigError, match="untargeted white-box"):
            detection_report(wary, few, threat)
    with pytest.raises(ConfigError, match="larger than the valid range"):
        detection_report(wary, few, Linf(2.0))
    with pytest.raises(DataError, match="images must be"):
        detection_report(wary, Dataset("flat", few.images.flatten(1), few.labels, few.classes), THREAT)


@pytest.mark.slow
def test_the_worst_case_goes_across_the_refusal(
    plain: Classifier, digits: Dataset, digits_train: Dataset
) -> None:
    """The cascade's own attacks turn back at the ridge of the folded logits; those that cross first do not."""
    wary = make("confidence", measure="margin", fpr=0.1).fit(plain, digits_train, Linf(0.1))
    images, labels = digits.images[:80], digits.labels[:80]
    naive = evaluate(
        wary, images, labels, Linf(0.15), attacks=standard_cascade(wary, ThreatModel.of(Linf(0.15)))
    )
    full = evaluate(wary, images, labels, Linf(0.15))
    assert {"apgd (crossing)", "apgd (onward)", "apgd-t (crossing)"} <= {row.name for row in full.attacks}
    assert full.robust_accuracy < naive.robust_accuracy
