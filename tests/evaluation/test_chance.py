"""Randomised models: one seed gives one result, wherever the work is done, and nobody else's draws change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from hauberk.attacks import PGD
from hauberk.core.canonical import canonical_bytes
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.defenses.defense import wrap
from hauberk.evaluation import accuracy_curve, attack_report, certify, evaluate, pieces
from hauberk.evaluation.backdoor import cleansing_effect
from hauberk.evaluation.certify import make_certifier
from hauberk.evaluation.certify.smoothing import noiseless
from hauberk.evaluation.chance import drawing
from hauberk.evaluation.corruptions import corruption_report
from hauberk.evaluation.detection import detection_report
from hauberk.evaluation.sweeps import sweep
from hauberk.models import Classifier
from hauberk.models.parts import Confidence, ResizePad, Smoothing
from hauberk.threats import L2, Linf

BALL = Linf(0.05)
QUICK = PGD(steps=2, eot=2)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def shaky(plain: Classifier) -> Classifier:
    """So noisy that no two runs by chance agree."""
    return wrap(plain, Smoothing(0.3, samples=1))


@pytest.fixture(scope="module")
def few(digits: Dataset) -> Dataset:
    return digits.head(50)


def timeless(value: Any) -> Any:
    """Without what a clock says."""
    if isinstance(value, dict):
        return {key: timeless(one) for key, one in value.items() if key != "seconds"}
    return [timeless(one) for one in value] if isinstance(value, list | tuple) else value


def figures(document: Evidence) -> bytes:
    return canonical_bytes(timeless(document.to_json()["result"]))


def evaluated(model: Classifier, data: Dataset, seed: int, **more: Any) -> Evidence:
    return evaluate(model, data.images, data.labels, BALL, attacks=[QUICK], seed=seed, **more).evidence


def votes_within(model: Classifier, data: Dataset, seed: int) -> Evidence:
    """Streams name the votes' noise; what the part within draws, they do not."""
    twice = wrap(wrap(noiseless(model)[0], ResizePad(0.7)), Smoothing(0.3, samples=2))
    method = make_certifier("smoothing", select=10, samples=40)
    return certify(twice, data.head(10), L2(0.1), method=method, seed=seed).evidence


def detected(model: Classifier, data: Dataset, seed: int) -> Evidence:
    wary = wrap(model, Confidence(10, "margin", threshold=-0.5))
    return detection_report(wary, data, BALL, oblivious=[QUICK], adaptive=[QUICK], seed=seed).evidence


MEASUREMENTS: dict[str, Callable[[Classifier, Dataset, int], Evidence]] = {
    "evaluate": evaluated,
    "attack": lambda model, data, seed: attack_report(model, data, BALL, QUICK, seed=seed).evidence,
    "certify": votes_within,
    "detect": detected,
    "curve": lambda model, data, seed: accuracy_curve(model, data, BALL, [0.02], attack=QUICK, seed=seed),
    "sweep": lambda model, data, seed: sweep(
        model, data, BALL, over="quantisation", values=[32, 3], attack=QUICK, seed=seed
    ),
    "corruptions": lambda model, data, seed: corruption_report(
        model, data, names=["contrast"], severities=[1, 3], spatial=None, seed=seed
    ),
    "cleanse": lambda model, data, seed: cleansing_effect(
        model, data, method="none", settings={}, searched=data, seed=seed
    ),
}


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_one_seed_one_result(name: str, shaky: Classifier, few: Dataset) -> None:
    measure = MEASUREMENTS[name]
    torch.manual_seed(11)
    before = torch.get_rng_state()
    first = measure(shaky, few, 3)
    assert torch.equal(torch.get_rng_state(), before)  # whoever draws next draws what he would have drawn
    torch.manual_seed(12)
    assert figures(measure(shaky, few, 3)) == figures(first)
    assert any(figures(measure(shaky, few, seed)) != figures(first) for seed in (4, 5, 6))


class Backwards:
    """Workers who draw from generators of their own and hand in the last piece first."""

    def map(
        self, function: Callable[[Any, Any], Any], jobs: Iterable[Any], *, shared: Any
    ) -> Iterator[tuple[int, Any]]:
        for number, job in reversed(list(enumerate(jobs))):
            torch.rand(number + 1)
            yield number, function(job, shared)

    def held(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_whoever_does_the_work(
    shaky: Classifier, few: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_PIECE", 8)
    alone = figures(evaluated(shaky, few, 3))
    assert figures(evaluated(shaky, few, 3, workers=Backwards())) == alone
    assert figures(evaluated(shaky, few, 3, journal=tmp_path)) == alone


def test_a_run_that_was_stopped_goes_on_as_it_would_have(
    shaky: Classifier, few: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_PIECE", 8)
    whole = figures(evaluated(shaky, few, 3))
    carry_out, left = pieces.attack_piece, iter(range(3))

    def stopped(*given: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return carry_out(*given)

    with monkeypatch.context() as patched:
        patched.setattr(pieces, "attack_piece", stopped)
        with pytest.raises(KeyboardInterrupt):
            evaluated(shaky, few, 3, journal=tmp_path)
    assert len(list(tmp_path.glob("*/*.safetensors"))) == 3
    assert figures(evaluated(shaky, few, 3, journal=tmp_path)) == whole


def test_draws_are_named_by_seed_and_use() -> None:
    def drawn(seed: int, *use: str | int) -> list[float]:
        with drawing(CPU, seed, *use):
            return torch.rand(4).tolist()

    assert drawn(1, "judge", 8) == drawn(1, "judge", 8)
    uses = [(1, "judge", 8), (2, "judge", 8), (1, "judge", 9), (1, "attack", 8)]
    assert len({tuple(drawn(*one)) for one in uses}) == 4


def test_draws_come_back_after_an_error() -> None:
    def failing() -> None:
        with drawing(CPU, 1):
            raise ZeroDivisionError(torch.rand(3))

    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        failing()
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_no_classifier_is_refused_first(few: Dataset) -> None:
    with pytest.raises(ConfigError, match=r"expected a hauberk\.Classifier, got Linear"):
        evaluate(torch.nn.Linear(2, 2), few.images, few.labels, BALL)  # type: ignore[arg-type]
