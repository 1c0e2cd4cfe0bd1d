"""The judge of cleansing: its figures against a count by hand, and that it believes nobody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hauberk.attacks.poisoning import BadNets, Poisoned, Trigger
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.evidence import Evidence
from hauberk.core.intervals import wilson
from hauberk.datasets import Dataset
from hauberk.evaluation.backdoor import cleansing_effect
from hauberk.models import Classifier
from hauberk.reports import render_html, render_json

TARGET = 7


@dataclass(frozen=True)
class Rows:
    scores: Tensor
    flagged: Tensor


@dataclass(frozen=True)
class Stamps:
    triggers: tuple[Trigger, ...]
    anomaly: Tensor
    suspected: tuple[int, ...]


@pytest.fixture(scope="module")
def truth(digits_train: Dataset) -> Poisoned:
    return BadNets(rate=0.05, target=TARGET, size=2)(digits_train, seed=0)


def judged(suspect: Classifier, test: Dataset, searched: Dataset, **more: Any) -> Evidence:
    return cleansing_effect(suspect, test, method="made-up", settings={"share": 0.5}, searched=searched, **more)


def bars(count: int) -> tuple[Trigger, ...]:
    """A white bar of ``label + 1`` columns for each class."""
    found = []
    for label in range(count):
        mask = torch.zeros(1, 8, 8)
        mask[:, :, : 1 + label // 2] = 1.0
        found.append(Trigger(mask, torch.ones(1, 8, 8), f"bar {label}"))
    return tuple(found)


def test_rows_are_counted_against_the_truth(
    plain: Classifier, hardened: Classifier, truth: Poisoned, digits_train: Dataset, digits: Dataset
) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = (
        torch.rand(len(digits_train), generator=generator, dtype=torch.float64) + truth.touched.double() * 0.5
    )
    flagged = scores > 1.0
    found = Rows(scores, flagged)
    evidence = judged(
        plain,
        digits,
        truth.data,
        rows=found,
        mended=hardened,
        clean=digits_train,
        poisoned=truth,
        name="mended",
    )
    result = evidence.result
    flags, bad = flagged.numpy(), truth.touched.numpy()
    hits = int((flags & bad).sum())
    assert 0 < hits < bad.sum()
    assert result["flagged"] == flags.sum()
    assert result["touched"] == bad.sum() == 72
    assert result["precision"] == hits / flags.sum()
    assert result["recall"] == hits / bad.sum()
    assert result["recall_interval"] == list(wilson(hits, int(bad.sum())))
    assert result["false_alarms"] == (flags & ~bad).sum() / (~bad).sum()
    assert truth.trigger is not None
    with torch.no_grad():
        for model, side in ((plain, "before"), (hardened, "after")):
            right = (model(digits.images).argmax(1) == digits.labels).numpy()
            others = (digits.labels != TARGET).numpy()
            obeys = (model(truth.trigger(digits.images)).argmax(1) == TARGET).numpy()
            assert result[side]["accuracy"] == right.mean()
            assert result[side]["trigger_success"] == obeys[others].mean()
    gallery = result["row_gallery"]
    shown = [one["score"] for one in gallery if one["flagged"]]
    assert shown == sorted(shown, reverse=True)
    assert shown[0] == float(scores[flagged].max())
    assert all(one["touched"] for one in gallery if not one["flagged"])  # what was missed
    assert evidence.parents == (plain.evidence[-1].digest, hardened.evidence[-1].digest)
    assert evidence.subject == {"name": "mended", "digest": hardened.digest}
    assert Evidence.from_json(evidence.to_json()) == evidence


def test_stamps_are_tried_on_test_images(plain: Classifier, hardened: Classifier, digits: Dataset) -> None:
    found = Stamps(bars(10), torch.linspace(0, 3, 10, dtype=torch.float64), (1,))
    evidence = judged(plain, digits, digits, stamps=found, mended=hardened)
    for label, row in enumerate(evidence.result["classes"]):
        victims = digits.images[digits.labels != label].clone()
        victims[:, :, :, : 1 + label // 2] = 1.0
        assert row["mask_norm"] == 8 * (1 + label // 2)
        with torch.no_grad():
            for key, model in (("success", plain), ("success_after", hardened)):
                assert row[key] == np.mean((model(victims).argmax(1) == label).numpy())
    assert [one["suspected"] for one in evidence.result["classes"]] == [label == 1 for label in range(10)]
    gallery = evidence.result["stamp_gallery"]
    assert [one["label"] for one in gallery] == [1, 0, 2, 3]  # the suspected one, then the smallest
    assert evidence.result["true_trigger"] is None
    assert evidence.result["recall"] is None
    assert evidence.result["before"]["trigger_success"] is None


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_report_shows_the_stamp_beside_the_true_trigger(
    lang: Any, plain: Classifier, hardened: Classifier, truth: Poisoned, digits_train: Dataset, digits: Dataset
) -> None:
    found = Stamps(bars(10), torch.linspace(0, 3, 10, dtype=torch.float64), (1,))
    evidence = judged(
        plain, digits, digits_train, stamps=found, mended=hardened, clean=digits_train, poisoned=truth
    )
    page = render_html([evidence], lang=lang)
    assert page.count("<img") == 3 * (4 + 1)
    (entry,) = render_json([evidence])["cleansings"]
    assert entry["classes"][1]["suspected"]
    assert entry["recipe"] == "made-up(share=0.5)"


def test_nothing_mended_has_no_after(plain: Classifier, truth: Poisoned, digits: Dataset) -> None:
    found = Rows(torch.zeros(len(truth.data)).double(), torch.zeros(len(truth.data), dtype=torch.bool))
    evidence = judged(plain, digits, truth.data, rows=found)
    assert evidence.result["after"] is None
    assert evidence.result["flagged"] == 0
    assert evidence.result["precision"] is None
    assert evidence.subject["digest"] == plain.digest
    assert render_html([evidence])


def test_what_does_not_agree_is_refused(
    plain: Classifier, truth: Poisoned, digits_train: Dataset, digits: Dataset
) -> None:
    count = len(digits_train)
    found = Rows(torch.zeros(count).double(), torch.zeros(count, dtype=torch.bool))
    lying = replace(truth, touched=torch.zeros(count, dtype=torch.bool))
    with pytest.raises(DataError, match="do not agree"):
        judged(plain, digits, truth.data, rows=found, clean=digits_train, poisoned=lying)
    with pytest.raises(DataError, match="the finder looked at"):
        judged(plain, digits, digits_train, rows=found, clean=digits_train, poisoned=truth)
    with pytest.raises(DataError, match="rows were judged"):
        judged(plain, digits, digits_train.head(50), rows=found)
    with pytest.raises(DataError, match="9 stamps for the 10 classes"):
        judged(plain, digits, digits, stamps=Stamps(bars(9), torch.zeros(9), ()))
    with pytest.raises(ConfigError, match="the truth needs both"):
        judged(plain, digits, truth.data, rows=found, poisoned=truth)
