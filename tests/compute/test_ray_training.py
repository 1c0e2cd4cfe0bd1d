"""One training shared by two workers that Ray Train looks after; for real, with one of them killed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import hauberk
from hauberk.compute import RayTrain, trainers
from hauberk.core.errors import ConfigError, DependencyMissing, EnvironmentFailure
from hauberk.core.progress import SILENT
from hauberk.datasets import Dataset
from hauberk.defenses import AdversarialTraining
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Moment, Plain, TrainingDiverged, TrainingPlan, learn, train

HERE = Path(__file__).parent
PLAN = TrainingPlan(
    epochs=3, batch_size=63, learning_rate=5e-3, schedule="one-cycle", averaging=0.9, weight_perturbation=0.005
)  # of a batch of 63, one worker has 31 and the other 32

pytestmark = [
    pytest.mark.xdist_group("ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves log files and sockets to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.mark.parametrize("text", ["ray:2", "ray:11"])
def test_a_group_by_its_name(text: str) -> None:
    assert trainers(text) == RayTrain(int(text[4:]))
    assert trainers("1") is None


@pytest.mark.parametrize(
    "text", ["", "2", "0", "ray", "ray:", "ray:0", "ray:-1", "ray:²", "ray://host:1", "dask:2"]
)
def test_no_such_group(text: str) -> None:
    with pytest.raises(ConfigError, match="no such workers for training") as caught:
        trainers(text)
    assert caught.value.hint is not None
    assert "ray:2" in caught.value.hint


@pytest.mark.parametrize("settings", [{"size": 0}, {"size": True}, {"size": 2, "retries": -1}])
def test_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be a whole number of at least"):
        RayTrain(**settings)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, digits_train: Dataset) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DependencyMissing) as caught:
        train(hauberk.create("cnn", digits_train), digits_train.head(64), workers=RayTrain(2))
    assert caught.value.hint == "pip install 'hauberk[ray]'"


def test_a_batch_must_go_round(digits_train: Dataset) -> None:
    with pytest.raises(ConfigError, match="a batch of 2 images cannot be shared by 3 workers"):
        train(
            hauberk.create("cnn", digits_train), digits_train, TrainingPlan(batch_size=2), workers=RayTrain(3)
        )


@pytest.fixture(scope="module")
def ray(surroundings: pytest.MonkeyPatch) -> Iterator[Any]:
    """A session of this machine that all tests here share; it listens on loopback, and finds this file."""
    if not os.environ.get("HAUBERK_CI"):
        pytest.importorskip("ray", reason="Ray is missing; pip install 'hauberk[ray]'")
    from hauberk.compute.cluster import session

    with session("local") as opened:
        yield opened


def figures(model: Classifier) -> list[tuple[float, float, float]]:
    return [
        (row["loss"], row["train_accuracy"], row["held_out_accuracy"])
        for row in model.evidence[-1].result["history"]
    ]


def same(one: Classifier, two: Classifier, *, atol: float) -> None:
    for found, wanted in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
        torch.testing.assert_close(found, wanted, atol=atol, rtol=1e-4)


@pytest.mark.slow
def test_two_learn_what_one_learns(ray: Any, digits_train: Dataset) -> None:
    """Robust training, with moved weights and averaging; losses and weights differ by rounding only."""
    data = digits_train.head(600)
    start = hauberk.create("cnn", data, seed=1).eval()
    defense = AdversarialTraining(plan=PLAN, held_out=100, steps=3)
    one = defense.fit(start, data, hauberk.Linf(0.1), seed=4)
    two = defense.fit_together(RayTrain(2), start, data, hauberk.Linf(0.1), seed=4)
    for found, wanted in zip(figures(two), figures(one), strict=True):
        assert found == pytest.approx(wanted, abs=1e-4)
    same(two, one, atol=1e-4)
    assert two.evidence[-1].parameters["workers"] == 2
    assert figures(two)[-1][0] < figures(two)[0][0]


@pytest.mark.slow
def test_batch_norm_sees_the_whole_batch(ray: Any, digits_train: Dataset) -> None:
    data = digits_train.head(252)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = nn.Sequential(
            nn.Conv2d(1, 8, 3),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(8 * 6 * 6, 10),
            nn.BatchNorm1d(10),
        )
    start = Classifier(module, input_shape=data.input_shape, labels=10)
    plan = TrainingPlan(epochs=1, batch_size=63, optimizer="sgd", learning_rate=0.05)
    one, two = (train(start, data, plan, workers=workers) for workers in (None, RayTrain(2)))
    same(two, one, atol=1e-4)


@dataclass(frozen=True)
class Doomed(Lesson):
    """Plain, but once, in the third epoch, it kills the worker that stands at a batch; a folder remembers."""

    folder: str

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        mark = Path(self.folder, "killed")
        if moment.fraction > 0.6 and torch.distributed.get_rank() == 1 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Plain().loss(model, images, labels, crafted, moment)


@dataclass(frozen=True)
class Broken(Lesson):
    """Fails in the second epoch in one way or another, on the second worker alone or on all."""

    way: str

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        loss, logits = Plain().loss(model, images, labels, crafted, moment)
        late = moment.fraction > 0.4
        if late and self.way == "error" and torch.distributed.get_rank() == 1:
            raise ConfigError("no such lesson", hint="learn something else")
        return (loss * torch.nan if late and self.way == "nan" else loss), logits


def taught(lesson: Lesson, data: Dataset, checkpoint: Path | None, workers: RayTrain | None) -> Classifier:
    return learn(
        hauberk.create("cnn", data, seed=1), data, PLAN, lesson, kind="training", method="test", settings={},
        held_out=data.head(50), seed=2, name="taught", checkpoint=checkpoint, workers=workers, progress=SILENT,
    )  # fmt: skip


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(ray: Any, digits_train: Dataset, tmp_path: Path) -> None:
    data, checkpoint = digits_train.head(252), tmp_path / "checkpoint"
    undisturbed = taught(Plain(), data, None, None)
    survivor = taught(Doomed(str(tmp_path)), data, checkpoint, RayTrain(2, retries=1))
    assert (tmp_path / "killed").exists()
    assert figures(survivor) == [pytest.approx(row, abs=1e-4) for row in figures(undisturbed)]
    same(survivor, undisturbed, atol=1e-4)
    assert checkpoint.exists()
    again = taught(Doomed(str(tmp_path)), data, checkpoint, None)  # whoever goes on from it: all is done
    assert again.digest == survivor.digest


@pytest.mark.slow
def test_what_a_worker_raises_comes_back_as_itself(ray: Any, digits_train: Dataset) -> None:
    data = digits_train.head(252)
    with pytest.raises(ConfigError, match="no such lesson") as caught:
        taught(Broken("error"), data, None, RayTrain(2))
    assert caught.value.hint == "learn something else"
    with pytest.raises(TrainingDiverged, match="diverged in epoch 2: the loss is nan") as diverged:
        taught(Broken("nan"), data, None, RayTrain(2))
    good: Any = diverged.value.facts["last_good"]
    assert len(good.evidence[-1].result["history"]) == 1


@pytest.mark.slow
def test_more_workers_than_processors_is_one_line(ray: Any, digits_train: Dataset) -> None:
    with pytest.raises(EnvironmentFailure, match="99 workers need as many CPUs, and Ray has"):
        train(
            hauberk.create("cnn", digits_train), digits_train, TrainingPlan(batch_size=99), workers=RayTrain(99)
        )
