"""The report on accidents: its figures follow from the data, and the worst placement is really the worst."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hauberk.core.errors import ConfigError, DataError, UnknownName
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.datasets.corruptions import COMMON, CORRUPTIONS, corrupt, rotate_and_shift
from hauberk.evaluation import wilson
from hauberk.evaluation.corruptions import SpatialGrid, corruption_report
from hauberk.models import Classifier

SMALL_GRID = SpatialGrid(rotations=5, shifts=3)


@pytest.fixture(scope="module")
def report(plain: Classifier, digits: Dataset) -> Evidence:
    return corruption_report(plain, digits, spatial=SMALL_GRID, seed=4, name="plain")


@torch.no_grad()
def says(classifier: Classifier, images: Tensor) -> Tensor:
    return classifier(images).argmax(dim=1)


def rows(report: Evidence) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in report.result["corruptions"]}


def test_figures_are_those_of_the_corrupted_data(plain: Classifier, digits: Dataset, report: Evidence) -> None:
    assert list(rows(report)) == list(CORRUPTIONS)
    for name in ("fog", "jpeg_compression", "rotation"):
        for point in rows(report)[name]["severities"]:
            data = corrupt(digits, name, point["severity"], seed=4)
            right = int((says(plain, data.images) == digits.labels).sum())
            assert point["accuracy"] == right / len(digits)
            assert point["interval"] == list(wilson(right, len(digits)))
    result = report.result
    assert result["samples"] == len(digits)
    assert result["clean_accuracy"] == float((says(plain, digits.images) == digits.labels).double().mean())
    means = [sum(point["accuracy"] for point in rows(report)[name]["severities"]) / 5 for name in CORRUPTIONS]
    assert [row["accuracy"] for row in result["corruptions"]] == pytest.approx(means)
    assert result["mean_accuracy"] == pytest.approx(sum(means[: len(COMMON)]) / len(COMMON))
    assert result["mce"] is None
    assert result["relative_mce"] is None


def test_accidents_hurt(report: Evidence) -> None:
    clean = report.result["clean_accuracy"]
    assert report.result["mean_accuracy"] < clean - 0.03
    mean = {
        severity: sum(row["severities"][severity - 1]["accuracy"] for row in report.result["corruptions"])
        for severity in (1, 5)
    }
    assert mean[5] < mean[1]
    assert all(row["severities"][4]["accuracy"] <= clean for row in report.result["corruptions"])


def test_evidence_names_what_a_repetition_needs(plain: Classifier, digits: Dataset, report: Evidence) -> None:
    assert report.kind == "corruptions"
    assert report.subject == {"name": "plain", "digest": plain.digest}
    assert report.inputs == {"dataset": digits.describe()}
    assert report.seed == 4
    assert report.parents == (plain.evidence[-1].digest,)
    assert report.parameters["corruptions"]["gaussian_noise"][0] == "GaussianNoise(sigma=0.04)"
    assert report.parameters["corruptions"]["shift"][4] == "Shift(pixels=0.8)"
    assert report.parameters["spatial"] == {"degrees": 30.0, "rotations": 5, "reach": 0.1, "shifts": 3}
    assert Evidence.from_json(report.to_json()) == report


def test_the_same_seed_gives_the_same_report(plain: Classifier, digits: Dataset) -> None:
    few, names = digits.head(40), ["snow", "shift"]
    first, again = (corruption_report(plain, few, names=names, spatial=SMALL_GRID, seed=2) for _ in range(2))
    assert first.result == again.result
    other = corruption_report(plain, few, names=names, spatial=None, seed=3)
    assert other.result["gallery"] != first.result["gallery"]
    assert other.result["spatial"] is None
    assert other.result["flags"][0]["code"] == "HB103"


def test_pictures_show_one_sample_under_everything(
    plain: Classifier, digits: Dataset, report: Evidence
) -> None:
    gallery = report.result["gallery"]
    assert [one["name"] for one in gallery] == list(CORRUPTIONS)
    assert {one["severity"] for one in gallery} == {3}
    (index,) = {one["index"] for one in gallery}
    assert int(says(plain, digits.images[index : index + 1])) == int(digits.labels[index])
    shown = gallery[list(CORRUPTIONS).index("contrast")]
    image = corrupt(digits, "contrast", 3, seed=4).images[index]
    expected = (image * 255).round().to(torch.uint8).numpy().tobytes()
    assert base64.b64decode(shown["image"]["data"]) == expected
    assert shown["label"] == plain.labels[int(digits.labels[index])]
    assert report.result["original"]["shape"] == [1, 8, 8]


def test_the_worst_placement_is_the_worst(plain: Classifier, digits: Dataset, report: Evidence) -> None:
    """Against the plain double loop, with every placement tried on every sample."""
    right = says(plain, digits.images) == digits.labels
    stands = {"rotation": right.clone(), "shift": right.clone(), "both": right.clone()}
    for degrees in (-30.0, -15.0, 0.0, 15.0, 30.0):
        for down in (-0.8, 0.0, 0.8):
            for to_right in (-0.8, 0.0, 0.8):
                placed = rotate_and_shift(digits.images, degrees, down, to_right).clamp(0, 1)
                holds = says(plain, placed) == digits.labels
                stands["both"] &= holds
                if down == to_right == 0:
                    stands["rotation"] &= holds
                if degrees == 0:
                    stands["shift"] &= holds
    spatial = report.result["spatial"]
    assert spatial["placements"] == 5 * 3 * 3
    assert spatial["accuracy"] == float(stands["both"].double().mean())
    assert spatial["rotation"]["accuracy"] == float(stands["rotation"].double().mean())
    assert spatial["shift"]["accuracy"] == float(stands["shift"].double().mean())
    assert [verdict["status"] == "robust" for verdict in spatial["verdicts"]] == stands["both"].tolist()
    assert spatial["accuracy"] < report.result["clean_accuracy"] - 0.05


def test_verdicts_on_placements_are_true(plain: Classifier, digits: Dataset, report: Evidence) -> None:
    clean = says(plain, digits.images)
    seen = set()
    for verdict in report.result["spatial"]["verdicts"]:
        row = verdict["index"]
        assert verdict["label"] == int(digits.labels[row])
        assert verdict["clean_prediction"] == int(clean[row])
        seen.add(verdict["by"])
        if verdict["status"] != "broken":
            assert verdict["by"] is verdict["degrees"] is verdict["down"] is verdict["right"] is None
            assert (verdict["status"] == "misclassified") is (clean[row] != digits.labels[row]).item()
            continue
        placed = rotate_and_shift(
            digits.images[row : row + 1], verdict["degrees"], verdict["down"], verdict["right"]
        )
        assert int(says(plain, placed.clamp(0, 1))) == verdict["prediction"] != verdict["label"]
        assert bool(verdict["degrees"]) is (verdict["by"] != "shift")
        assert bool(verdict["down"] or verdict["right"]) is (verdict["by"] != "rotation")
    assert seen == {None, "rotation", "shift", "both"}


class Corner(nn.Module):
    """Says 1 where the pixel in the first corner is bright."""

    def forward(self, x: Tensor) -> Tensor:
        bright = x[:, 0, 0, 0] - 0.5
        return torch.stack([-bright, bright], dim=1)


def test_the_mildest_placement_is_named() -> None:
    """One bright corner goes dark with any shift away from it, and with any but the smallest turn."""
    images = torch.zeros(1, 1, 10, 10)
    images[:, :, :2, :2] = 1
    data = Dataset("corner", images, torch.ones(1, dtype=torch.int64), ("dark", "bright"))
    model = Classifier(Corner(), input_shape=(1, 10, 10), labels=("dark", "bright")).eval()
    spatial = corruption_report(
        model, data, names=["fog"], spatial=SpatialGrid(degrees=0, reach=0.4, shifts=5)
    ).result["spatial"]
    (verdict,) = spatial["verdicts"]
    assert verdict["by"] == "shift"
    assert abs(verdict["down"]) + abs(verdict["right"]) == 2.0  # of 2 and 4 pixels, along one axis only
    assert spatial["rotation"]["accuracy"] == 1.0
    assert spatial["placements"] == 25


def test_errors_relative_to_a_reference(
    plain: Classifier, hardened: Classifier, digits: Dataset, report: Evidence
) -> None:
    same = corruption_report(plain, digits, spatial=None, reference=report, seed=4)
    assert same.result["mce"] == pytest.approx(1.0)
    assert same.inputs["reference"] == {"name": "plain", "digest": plain.digest}
    assert same.parents == (plain.evidence[-1].digest, report.digest)

    names = ["fog", "snow", "shift"]
    other = corruption_report(hardened, digits, names=names, spatial=None, reference=report, seed=4)
    ratios, relative = [], []
    clean = 1 - other.result["clean_accuracy"], 1 - report.result["clean_accuracy"]
    for name in ("fog", "snow"):  # the shift is not among the fifteen
        errors = [1 - rows(one)[name]["accuracy"] for one in (other, report)]
        ratios.append(errors[0] / errors[1])
        relative.append((errors[0] - clean[0]) / (errors[1] - clean[1]))
    assert other.result["mce"] == pytest.approx(sum(ratios) / 2)
    assert other.result["relative_mce"] == pytest.approx(sum(relative) / 2)


def test_a_reference_without_errors_divides_nothing() -> None:
    from hauberk.evaluation.corruptions import _mean_ratio

    assert _mean_ratio([(0.2, 0.1), (0.3, 0.0)]) is None
    assert _mean_ratio([]) is None
    assert _mean_ratio([(0.2, 0.1), (0.3, 0.3)]) == pytest.approx(1.5)


def test_only_further_ones_have_no_common_mean(plain: Classifier, digits: Dataset) -> None:
    found = corruption_report(plain, digits.head(5), names=["shift"], severities=[2], spatial=None)
    assert found.result["mean_accuracy"] is None
    assert [point["severity"] for point in found.result["corruptions"][0]["severities"]] == [2]
    assert found.result["gallery"][0]["severity"] == 2


def test_bad_questions_are_refused(plain: Classifier, digits: Dataset, report: Evidence) -> None:
    few = digits.head(5)
    with pytest.raises(UnknownName, match="did you mean 'frost'"):
        corruption_report(plain, few, names=["frots"])
    with pytest.raises(ConfigError, match="corruption 'fog' is named twice"):
        corruption_report(plain, few, names=["fog", "fog"])
    with pytest.raises(ConfigError, match="at least one corruption"):
        corruption_report(plain, few, names=[])
    with pytest.raises(ConfigError, match="at least one severity"):
        corruption_report(plain, few, severities=[])
    with pytest.raises(ConfigError, match="from 1 to 5"):
        corruption_report(plain, few, severities=[1, 6])
    with pytest.raises(ConfigError, match="train mode"):
        corruption_report(Classifier(Corner(), input_shape=(1, 8, 8), labels=2).train(), few)
    with pytest.raises(DataError, match="images must be"):
        corruption_report(Classifier(Corner(), input_shape=(1, 9, 9), labels=2).eval(), few)
    with pytest.raises(ConfigError, match="kind 'corruptions', got 'training'"):
        corruption_report(plain, few, reference=plain.evidence[-1])
    with pytest.raises(ConfigError, match="measured on other data and other seed"):
        corruption_report(plain, few, reference=report)
    with pytest.raises(ConfigError, match="other severities and other corruptions"):
        corruption_report(plain, digits, severities=[1], reference=report, seed=4)
    less = replace(report, parameters={**report.parameters, "corruptions": {}})
    with pytest.raises(ConfigError, match="on other corruptions"):
        corruption_report(plain, digits, reference=less, seed=4)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"degrees": 181}, "degrees must lie in"),
        ({"degrees": float("nan")}, "degrees must be a number"),
        ({"reach": -0.1}, "reach must lie in"),
        ({"rotations": 4}, "rotations must be odd"),
        ({"shifts": 0}, "shifts must be a whole number"),
        ({"shifts": True}, "shifts must be a whole number"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        SpatialGrid(**settings)


def test_a_grid_lists_every_placement_once() -> None:
    stages = SpatialGrid(rotations=3, shifts=3).stages(28)
    assert [len(one) for one in stages.values()] == [2, 8, 16]
    everything = [placement for stage in stages.values() for placement in stage]
    assert len(set(everything)) == 26
    assert stages["rotation"] == [(-30.0, 0.0, 0.0), (30.0, 0.0, 0.0)]
    steps = {round(abs(step), 6) for _, down, right in stages["shift"] for step in (down, right)}
    assert steps == {0, 2.8}
