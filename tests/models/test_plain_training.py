"""Training: learns, repeats bit for bit, goes on where it stopped, and says what it did."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hauberk.core.errors import ConfigError, IntegrityError, UnknownName
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.models import Classifier, create
from hauberk.models import checkpoint as checkpoints
from hauberk.models.training import TrainingDiverged, TrainingPlan, accuracy, train

SHAPE = (1, 8, 8)
CNN = {"channels": [3, 4], "hidden": 5}
WIDE = {"depth": 10, "width": 1, "dropout": 0.3}  # batch norm and dropout
FAST = TrainingPlan(epochs=3, batch_size=16, learning_rate=1e-2)


def toy(count: int, seed: int, *, classes: int = 3) -> Dataset:
    """The class is where the light is: a bright band among noise."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=draw)
    images = torch.rand(count, *SHAPE, generator=draw) * 0.5
    for row, label in enumerate(labels.tolist()):
        images[row, 0, 2 * label : 2 * label + 2] += 0.3
    return Dataset(f"toy{seed}", images, labels, tuple("abcdefgh"[:classes]))


DATA, HELD_OUT = toy(70, 0), toy(30, 1)


def fresh(name: str = "cnn", args: dict[str, Any] | None = None) -> Classifier:
    return create(name, DATA, args=CNN if args is None else args)


def state(model: Classifier) -> dict[str, Tensor]:
    return dict(model.module.state_dict())


def history(model: Classifier) -> list[dict[str, Any]]:
    """Without the only figure that may differ."""
    rows = model.evidence[-1].result["history"]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def assert_same(found: Classifier, expected: Classifier) -> None:
    assert state(found).keys() == state(expected).keys()
    for name, tensor in state(expected).items():
        assert torch.equal(state(found)[name], tensor), name
    assert history(found) == history(expected)
    assert found.evidence[-1].result["best_epoch"] == expected.evidence[-1].result["best_epoch"]
    assert found.digest == expected.digest


class Interrupt:
    """A progress bar at which somebody loses patience."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.begun: list[tuple[str, int]] = []
        self.ended = False

    def begin(self, title: str, total: int) -> None:
        self.begun.append((title, total))

    def advance(self, ticks: int = 1, note: str = "") -> None:
        self.left -= ticks
        if self.left <= 0:
            raise KeyboardInterrupt

    def end(self) -> None:
        self.ended = True


class TestLearning:
    def test_the_loss_goes_down_and_the_classes_are_learnt(self) -> None:
        plan = TrainingPlan(epochs=8, batch_size=16, learning_rate=1e-2)
        trained = train(fresh(), toy(200, 2), plan, held_out=HELD_OUT)
        rows = history(trained)
        assert rows[-1]["loss"] < 0.3 * rows[0]["loss"]
        assert rows[-1]["held_out_accuracy"] > 0.9
        assert accuracy(trained, HELD_OUT.images, HELD_OUT.labels) == max(
            row["held_out_accuracy"] for row in rows
        )

    @pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
    @pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle"])
    def test_every_optimiser_learns_on_every_schedule(self, optimizer: Any, schedule: Any) -> None:
        plan = TrainingPlan(epochs=3, batch_size=10, learning_rate=1e-2, optimizer=optimizer, schedule=schedule)
        rows = history(train(fresh("mlp", {"hidden": [8]}), DATA, plan))
        assert rows[-1]["loss"] < rows[0]["loss"]

    def test_accuracy_is_the_share_of_right_answers(self) -> None:
        made = Classifier(nn.Flatten(), input_shape=(2,), labels=2)
        images = torch.tensor([[1.0, 0.0]] * 300)
        labels = torch.tensor([0] * 120 + [1] * 180)
        assert accuracy(made, images, labels) == 0.4

    def test_the_original_is_untouched(self) -> None:
        made = fresh("wide-resnet", WIDE).requires_grad_(False).train()
        before = {name: one.clone() for name, one in state(made).items()}
        strides = [one.stride() for one in made.parameters()]
        train(made, DATA, FAST)
        assert all(torch.equal(before[name], one) for name, one in state(made).items())
        assert [one.stride() for one in made.parameters()] == strides
        assert made.training
        assert not any(one.requires_grad for one in made.parameters())
        assert made.evidence == ()

    def test_the_result_is_an_ordinary_classifier(self) -> None:
        trained = train(fresh(), DATA, FAST)
        assert not any(one.training for one in trained.modules())
        assert all(one.requires_grad and one.grad is None for one in trained.parameters())
        assert all(one.is_contiguous() for one in trained.parameters())

    def test_the_callers_random_state_is_untouched(self) -> None:
        torch.manual_seed(3)
        expected = torch.rand(2)
        torch.manual_seed(3)
        train(fresh("wide-resnet", WIDE), DATA, FAST)
        assert torch.equal(torch.rand(2), expected)

    def test_fewer_images_than_a_batch_are_one_batch(self) -> None:
        rows = history(train(fresh(), DATA.head(5), TrainingPlan(epochs=1, batch_size=64)))
        assert math.isfinite(rows[0]["loss"])


class TestRepeating:
    @pytest.mark.parametrize(("name", "args"), [("cnn", CNN), ("wide-resnet", WIDE)])
    def test_the_same_seed_gives_the_same_weights_and_another_others(self, name: str, args: Any) -> None:
        made = fresh(name, args)
        one = train(made, DATA, FAST, seed=4)
        torch.rand(7)  # what happens elsewhere does not matter
        assert_same(train(made, DATA, FAST, seed=4), one)
        assert train(made, DATA, FAST, seed=5).digest != one.digest

    def test_progress_counts_every_step(self) -> None:
        progress = Interrupt(after=10**9)
        train(fresh(), DATA, FAST, progress=progress)
        assert progress.begun == [("training", 3 * (70 // 16))]
        assert progress.left == 10**9 - 3 * (70 // 16)
        assert progress.ended


PLANS = {
    "plain": (FAST, None),
    "best epoch": (FAST, HELD_OUT),
    "averaging": (dataclasses.replace(FAST, averaging=0.8), None),
    "averaging and best epoch": (dataclasses.replace(FAST, averaging=0.8, schedule="one-cycle"), HELD_OUT),
    "sgd": (dataclasses.replace(FAST, optimizer="sgd", schedule="cosine", weight_decay=1e-3), HELD_OUT),
}


class TestResuming:
    @pytest.mark.parametrize("plan", PLANS)
    @pytest.mark.parametrize(("name", "args"), [("cnn", CNN), ("wide-resnet", WIDE)])
    def test_a_run_stopped_twice_ends_with_the_same_weights(
        self, tmp_path: Path, plan: str, name: str, args: Any
    ) -> None:
        settings, held_out = PLANS[plan]
        file = tmp_path / "run.safetensors"
        made = fresh(name, args)
        whole = train(made, DATA, settings, held_out=held_out, seed=1)
        for after in (6, 3):  # in the second epoch, then again in the repeated second
            with pytest.raises(KeyboardInterrupt):
                train(
                    made, DATA, settings, held_out=held_out, seed=1, checkpoint=file, progress=Interrupt(after)
                )
        assert file.exists()
        progress = Interrupt(after=10**9)
        again = train(made, DATA, settings, held_out=held_out, seed=1, checkpoint=file, progress=progress)
        assert progress.begun == [("training", 2 * (70 // 16))]  # one epoch was kept
        assert_same(again, whole)
        assert file.exists()  # until the caller has saved the result

    def test_a_run_stopped_at_the_very_end_ends_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "run.safetensors"
        settings, held_out = PLANS["averaging and best epoch"]
        whole = train(fresh(), DATA, settings, held_out=held_out)
        with monkeypatch.context() as broken:
            broken.setattr(Interrupt, "end", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                train(fresh(), DATA, settings, held_out=held_out, checkpoint=file, progress=Interrupt(10**9))
        assert_same(train(fresh(), DATA, settings, held_out=held_out, checkpoint=file), whole)

    def test_a_run_stopped_before_the_first_epoch_starts_again(self, tmp_path: Path) -> None:
        file = tmp_path / "run.safetensors"
        with pytest.raises(KeyboardInterrupt):
            train(fresh(), DATA, FAST, checkpoint=file, progress=Interrupt(1))
        assert not file.exists()
        assert_same(train(fresh(), DATA, FAST, checkpoint=file), train(fresh(), DATA, FAST))

    @pytest.fixture
    def stopped(self, tmp_path: Path) -> Path:
        file = tmp_path / "run.safetensors"
        with pytest.raises(KeyboardInterrupt):
            train(fresh(), DATA, FAST, held_out=HELD_OUT, seed=1, checkpoint=file, progress=Interrupt(6))
        return file

    @pytest.mark.parametrize(
        "changes",
        [
            {"seed": 2},
            {"plan": dataclasses.replace(FAST, epochs=4)},
            {"plan": dataclasses.replace(FAST, learning_rate=2e-2)},
            {"data": toy(70, 9)},
            {"held_out": None},
            {"held_out": toy(30, 9)},
            {"classifier": create("cnn", DATA, args=CNN, seed=9)},
        ],
    )
    def test_the_checkpoint_of_another_run_is_refused(self, stopped: Path, changes: dict[str, Any]) -> None:
        settings = {
            "classifier": fresh(),
            "data": DATA,
            "plan": FAST,
            "held_out": HELD_OUT,
            "seed": 1,
            **changes,
        }
        before = stopped.read_bytes()
        with pytest.raises(ConfigError, match="belongs to a run with other settings"):
            train(**settings, checkpoint=stopped)
        assert stopped.read_bytes() == before

    def resume(self, file: Path) -> Classifier:
        return train(fresh(), DATA, FAST, held_out=HELD_OUT, seed=1, checkpoint=file)

    @pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
    def test_a_truncated_checkpoint_is_refused(self, stopped: Path, share: float) -> None:
        whole = stopped.read_bytes()
        stopped.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(IntegrityError, match="is damaged") as caught:
            self.resume(stopped)
        assert "delete it" in str(caught.value.hint)

    def test_a_flipped_bit_anywhere_is_refused(self, stopped: Path) -> None:
        whole = stopped.read_bytes()
        for position in range(0, len(whole), max(1, len(whole) // 150)):
            stopped.write_bytes(whole[:position] + bytes([whole[position] ^ 16]) + whole[position + 1 :])
            with pytest.raises(IntegrityError, match="is damaged"):
                self.resume(stopped)

    def test_any_other_file_is_refused(self, tmp_path: Path) -> None:
        import safetensors.torch

        file = tmp_path / "other.safetensors"
        for data in (
            b"",
            b"text",
            safetensors.torch.save({"a": torch.zeros(1)}),
            safetensors.torch.save({"a": torch.zeros(1)}, metadata={"hauberk-checkpoint/1": "[]"}),
            safetensors.torch.save({"a": torch.zeros(1)}, metadata={"hauberk-checkpoint/1": "{"}),
        ):
            file.write_bytes(data)
            with pytest.raises(IntegrityError):
                self.resume(file)


class TestCheckpointFiles:
    def test_tensors_and_facts_come_back(self, tmp_path: Path) -> None:
        file = tmp_path / "one"
        tensors = {
            "model": {"a.b/c": torch.rand(2, 3).t(), "n": torch.tensor(4)},
            "empty": {"x": torch.zeros(0)},
        }
        facts = {"epoch": 2, "history": [{"loss": 0.1, "best": None}], "best_score": -1e-17}
        checkpoints.save(file, checkpoints.Checkpoint(tensors, facts), identity="me")
        found = checkpoints.load(file, identity="me")
        assert found is not None
        assert found.facts == facts
        assert found.tensors.keys() == tensors.keys()
        for group, members in tensors.items():
            assert found.tensors[group].keys() == members.keys()
            assert all(torch.equal(found.tensors[group][name], one) for name, one in members.items())

    def test_nothing_there_is_none(self, tmp_path: Path) -> None:
        assert checkpoints.load(tmp_path / "none", identity="me") is None

    @pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
    def test_an_optimiser_goes_on_where_it_was(self, kind: Any) -> None:
        options = {"lr": 0.1, "momentum": 0.9} if kind is torch.optim.SGD else {"lr": 0.1}

        def step(weight: Tensor, optimizer: torch.optim.Optimizer) -> None:
            optimizer.zero_grad()
            (weight**2).sum().backward()
            optimizer.step()

        one = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        first = kind([one], **options)
        for _ in range(3):
            step(one, first)
        other = torch.nn.Parameter(one.detach().clone())
        second = kind([other], **options)
        taken = {name: tensor.clone() for name, tensor in checkpoints.optimizer_tensors(first).items()}
        checkpoints.restore_optimizer(second, taken)
        step(one, first)
        step(other, second)
        assert torch.equal(one, other)


class TestAveraging:
    def test_the_result_is_the_average_by_its_definition(self) -> None:
        """The same steps without averaging give the weights to average; decay is held down early on."""
        made = fresh("mlp", {"hidden": [4]})
        data = DATA.head(16)  # one step an epoch
        steps = [
            train(made, data, dataclasses.replace(FAST, epochs=count), seed=2).module.state_dict()
            for count in range(1, 5)
        ]
        plan = dataclasses.replace(FAST, epochs=4, averaging=0.3)
        found = train(made, data, plan, seed=2).module.state_dict()
        for name, kept in made.module.state_dict().items():
            expected = kept.double()
            for number, fresh_weights in enumerate(steps, start=1):
                decay = min(0.3, number / (number + 9))
                expected = decay * expected + (1 - decay) * fresh_weights[name].double()
            torch.testing.assert_close(found[name].double(), expected, rtol=1e-5, atol=1e-6)

    def test_the_best_epoch_is_the_one_returned(self) -> None:
        plan = TrainingPlan(epochs=6, batch_size=16, learning_rate=0.05)
        trained = train(fresh(), DATA, plan, held_out=HELD_OUT)
        scores = [row["held_out_accuracy"] for row in history(trained)]
        best = trained.evidence[-1].result["best_epoch"]
        assert best == 1 + scores.index(max(scores))
        assert accuracy(trained, HELD_OUT.images, HELD_OUT.labels) == pytest.approx(max(scores), abs=1e-6)
        shorter = train(fresh(), DATA, dataclasses.replace(plan, epochs=best), held_out=HELD_OUT)
        assert shorter.digest == trained.digest


class TestEvidence:
    def test_it_says_what_was_done_on_what(self) -> None:
        trained = train(fresh(), DATA, FAST, held_out=HELD_OUT, seed=6, name="mine")
        (one,) = trained.evidence
        assert (one.kind, one.seed, one.parents) == ("training", 6, ())
        assert one.subject == {"name": "mine", "digest": trained.digest}
        assert one.inputs == {"dataset": DATA.describe(), "held_out": HELD_OUT.describe()}
        assert one.parameters["architecture"] == {"name": "cnn", "args": CNN}
        assert one.parameters["plan"] == {**dataclasses.asdict(FAST), "augment": []}
        assert one.result["parameters_count"] == sum(tensor.numel() for tensor in state(trained).values())
        assert [row["epoch"] for row in one.result["history"]] == [1, 2, 3]
        assert set(one.result["history"][0]) == {
            "epoch",
            "loss",
            "train_accuracy",
            "held_out_accuracy",
            "held_out_robust",
            "eps",
            "seconds",
        }
        assert Evidence.from_json(json.loads(json.dumps(one.to_json()))).digest == one.digest

    def test_it_names_its_parent(self) -> None:
        first = train(fresh(), DATA, FAST, name="first")
        second = train(first, DATA, FAST, name="second")
        assert second.evidence[0] is first.evidence[0]
        assert second.evidence[1].parents == (first.evidence[0].digest,)
        assert second.evidence[1].inputs["model"] == {"name": "first", "digest": first.digest}

    def test_without_held_out_data_nothing_is_claimed_about_it(self) -> None:
        trained = train(fresh(), DATA, FAST)
        assert "held_out" not in trained.evidence[-1].inputs
        assert {row["held_out_accuracy"] for row in history(trained)} == {None}
        assert trained.evidence[-1].result["best_epoch"] == 3


class TestRefusals:
    @pytest.mark.parametrize("part", ["data", "held_out"])
    @pytest.mark.parametrize(
        "wrong",
        [
            toy(20, 0, classes=4),
            Dataset("flat", torch.rand(20, 64), torch.zeros(20, dtype=torch.int64), ("a", "b", "c")),
        ],
    )
    def test_data_that_does_not_fit_the_classifier(self, part: str, wrong: Dataset) -> None:
        with pytest.raises(ConfigError, match="the classifier"):
            train(fresh(), **{"data": DATA, "plan": FAST, part: wrong})

    def test_a_loss_that_is_no_number(self) -> None:
        with pytest.raises(TrainingDiverged, match="training diverged in epoch") as caught:
            train(fresh(), DATA, dataclasses.replace(FAST, learning_rate=1e30, optimizer="sgd"))
        assert caught.value.facts["epoch"] in (1, 2, 3)
        assert "lower the learning rate" in str(caught.value.hint)

    @pytest.mark.parametrize("seed", [True, 1.5, "1", None])
    def test_a_seed_that_is_no_integer(self, seed: Any) -> None:
        with pytest.raises(ConfigError, match="seed"):
            train(fresh(), DATA, FAST, seed=seed)

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("epochs", [0, -1, 1.0, True, "5", None]),
            ("batch_size", [0, -1, 1.5, True, "5", None]),
            ("learning_rate", [0, -1, math.nan, math.inf, True, "0.1", None]),
            ("weight_decay", [-1e-9, math.nan, math.inf, True, "0", None]),
            ("averaging", [-0.1, 1, 1.5, math.nan, True, "0.9", None]),
        ],
    )
    def test_plans_that_make_no_sense(self, name: str, values: list[Any]) -> None:
        for value in values:
            with pytest.raises(ConfigError, match=name):
                TrainingPlan(**{name: value})

    @pytest.mark.parametrize(
        ("setting", "near"),
        [
            ({"optimizer": "adm"}, "adam"),
            ({"schedule": "cosin"}, "cosine"),
            ({"schedule": "onecycle"}, "one-cycle"),
        ],
    )
    def test_misspelt_plans(self, setting: dict[str, Any], near: str) -> None:
        with pytest.raises(UnknownName, match=f"did you mean '{near}'"):
            TrainingPlan(**setting)


class TestRate:
    @pytest.mark.parametrize("fraction", [0, 0.2, 0.5, 1])
    def test_constant_stays(self, fraction: float) -> None:
        assert TrainingPlan(learning_rate=0.5).rate(fraction) == 0.5

    def test_cosine_goes_from_all_to_nothing(self) -> None:
        plan = TrainingPlan(learning_rate=0.5, schedule="cosine")
        found = [plan.rate(step / 100) for step in range(101)]
        assert found[0] == 0.5
        assert found[50] == pytest.approx(0.25)
        assert found[100] == pytest.approx(0)
        assert found == sorted(found, reverse=True)

    def test_one_cycle_goes_up_for_a_fifth_and_then_down(self) -> None:
        plan = TrainingPlan(learning_rate=0.5, schedule="one-cycle")
        found = [plan.rate(step / 100) for step in range(101)]
        assert 0 < found[0] < 0.02
        assert found[20] == max(found) == 0.5
        assert found[:21] == sorted(found[:21])
        assert found[20:] == sorted(found[20:], reverse=True)
        assert found[100] == pytest.approx(0)
