"""Searches are found, nature is not, and what follows is what the policy says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from desks import KEY, Desk, Linear, Sink, natural

from hauberk.core.errors import ConfigError
from hauberk.serving.guard import Action, Guard, GuardPolicy
from hauberk.serving.problems import Problem
from hauberk.serving.protocol import Floats


def pixel_search(desk: Desk, caller: str, image: Floats, draw: np.random.Generator, most: int) -> int:
    """SimBA in five lines; how many questions until the guard holds something against the caller."""
    label = int(desk.ask(caller, image).label[0])
    now, best = image, np.inf
    for asked in range(2, most):
        point = now.copy()
        place = tuple(draw.integers(0, 28, 2))
        point[0, 0][place] = np.clip(point[0, 0][place] + draw.choice([-0.3, 0.3]), 0, 1)
        logits = desk.ask(caller, point).logits[0]
        ahead = logits[label] - np.delete(logits, label).max()
        if ahead < best:
            now, best = point, ahead
        if caller in desk.guard.verdicts:
            return asked
    return most


def test_a_search_pixel_by_pixel_is_found(desk: Desk, draw: np.random.Generator) -> None:
    asked = [pixel_search(desk, f"eve {n}", natural(draw, 1), draw, 200) for n in range(10)]
    assert max(asked) < 60
    assert np.median(asked) < 30


def test_noise_around_a_point_that_is_known_exactly_is_found(desk: Desk, draw: np.random.Generator) -> None:
    centre = natural(draw, 1)
    desk.ask("eve", centre)
    for _ in range(60):
        desk.ask("eve", centre + draw.normal(0, 0.005, centre.shape).astype(np.float32))
    assert "evasion" in desk.found("eve")


def test_the_same_noise_with_the_point_unseen_is_nature(desk: Desk, draw: np.random.Generator) -> None:
    centre = natural(draw, 1)
    for _ in range(600):
        desk.ask("camera", centre + draw.normal(0, 0.005, centre.shape).astype(np.float32))
    assert desk.found("camera") == set()


def test_halving_a_line_and_asking_around_its_end_is_found(desk: Desk, draw: np.random.Generator) -> None:
    found = 0
    for number in range(10):
        near, far = natural(draw, 2)[:, None]
        low, high = 0.0, 1.0
        border = draw.uniform(0.1, 0.9)
        for _ in range(20):
            middle = (low + high) / 2
            desk.ask(f"eve {number}", (near + middle * (far - near)).astype(np.float32))
            low, high = (low, middle) if middle > border else (middle, high)
        end = (near + high * (far - near)).astype(np.float32)
        for _ in range(10):
            desk.ask(f"eve {number}", end + draw.normal(0, 0.003, end.shape).astype(np.float32))
        found += "evasion" in desk.found(f"eve {number}")
    assert found >= 9


def test_different_images_retries_and_exposures_are_nature(desk: Desk, draw: np.random.Generator) -> None:
    images = natural(draw, 200)
    for image in images:
        for _ in range(3):
            desk.ask("patient", image[None])
        desk.ask("photographer", np.clip(image[None] * np.float32(draw.uniform(0.8, 1.1)), 0, 1))
    assert desk.found("patient") == set()
    assert desk.found("photographer") == set()


def test_the_whole_batch_of_a_search_in_one_request_is_found(desk: Desk, draw: np.random.Generator) -> None:
    centre = natural(draw, 1)
    cloud = centre + draw.normal(0, 0.005, (100, 1, 28, 28)).astype(np.float32)
    desk.ask("eve", np.concatenate([centre, cloud]))
    assert "evasion" in desk.found("eve")


def test_a_fresh_account_that_goes_on_is_found_sooner(desk: Desk, draw: np.random.Generator) -> None:
    image = natural(draw, 1)
    first = pixel_search(desk, "eve", image, draw, 200)
    second = pixel_search(desk, "eve again", image, draw, 200)
    assert second < first
    for _ in range(3):
        desk.ask("bystander", image)  # may ask about the same image
    assert desk.found("bystander") == set()


def test_natural_questions_in_between_do_not_wash_it_out(desk: Desk, draw: np.random.Generator) -> None:
    centre = natural(draw, 1)
    desk.ask("eve", centre)
    for _ in range(80):
        desk.ask("eve", natural(draw, 10))
        desk.ask("eve", centre + draw.normal(0, 0.005, centre.shape).astype(np.float32))
    assert "evasion" in desk.found("eve")


def test_repetition_is_noted_and_nothing_else_happens(
    entry: Any, model: Linear, draw: np.random.Generator
) -> None:
    desk = Desk(entry, model, draw, repeats=50)
    image = natural(draw, 1)
    for _ in range(80):
        desk.ask("prober", image)
    assert desk.found("prober") == {"repetition"}
    desk.guard.check("prober")


def test_unlike_inputs_and_unsure_answers_are_noted(desk: Desk, draw: np.random.Generator) -> None:
    desk.ask("foreigner", draw.random((40, 1, 28, 28)).astype(np.float32))
    assert "unusual" in desk.found("foreigner")
    pool = natural(draw, 20_000)
    ordered = np.sort(desk.model(pool).logits, axis=1)
    unsure = pool[(ordered[:, -1] - ordered[:, -2]).argsort()[:200]]
    desk.ask("thief", unsure)
    assert desk.found("thief") == {"extraction"}


def test_drift_is_about_the_model_and_not_a_caller(desk: Desk, draw: np.random.Generator) -> None:
    pool = natural(draw, 12_000)
    desk.ask("all kinds", pool[:4000])
    assert not [one for one in desk.sink if one.finding == "drift"]
    of_one_kind = pool[desk.model(pool).label == 0]
    for _ in range(4000 // len(of_one_kind) + 1):
        desk.ask("one kind", of_one_kind)
    drift = [one for one in desk.sink if one.finding == "drift"]
    assert drift
    assert all(one.caller is None and one.action is Action.NOTE for one in drift)


def test_a_blocked_caller_is_refused_until_his_time_is_over(desk: Desk, draw: np.random.Generator) -> None:
    pixel_search(desk, "eve", natural(draw, 1), draw, 200)
    with pytest.raises(Problem) as refused:
        desk.guard.check("eve")
    assert refused.value.status == 403
    assert refused.value.kind == "blocked"
    desk.guard.check("somebody else")
    desk.now[0] += 86_401
    desk.guard.check("eve")


@pytest.mark.parametrize(
    ("action", "field", "value"),
    [("slow", "delay_s", 1.0), ("round", "decimals", 2), ("label", "label_only", True)],
)
def test_milder_actions_change_the_answer(
    entry: Any, model: Linear, draw: np.random.Generator, action: str, field: str, value: object
) -> None:
    desk = Desk(entry, model, draw, queries=20, budget=action)
    rows = natural(draw, 30)
    answer = desk.model(rows)
    treatment = desk.guard.look("busy", entry, rows, answer)
    assert getattr(treatment, field) == value
    desk.guard.check("busy")


def test_a_new_key_is_needed_until_it_is_lifted(entry: Any, model: Linear, draw: np.random.Generator) -> None:
    desk = Desk(entry, model, draw, queries=20, budget="new-key")
    desk.ask("busy", natural(draw, 30))
    desk.now[0] += 1e9
    with pytest.raises(Problem, match="new one"):
        desk.guard.check("busy")
    desk.guard.lift("busy")
    desk.guard.check("busy")


def test_memory_is_bounded(entry: Any, model: Linear, draw: np.random.Generator) -> None:
    desk = Desk(entry, model, draw, callers=10, memory=16)
    for number in range(50):
        desk.ask(f"caller {number}", natural(draw, 40))
        image = natural(draw, 1)
        desk.ask(f"caller {number}", image + draw.normal(0, 0.02, (40, 1, 28, 28)).astype(np.float32))
    assert len(desk.guard.callers) == 10
    for one in desk.guard.callers.values():
        assert len(one.memory.prints) == 16
        assert len(one.memory.scenes) <= 16


def test_alerts_say_why_and_hold_no_input(desk: Desk, draw: np.random.Generator) -> None:
    pixel_search(desk, "eve", natural(draw, 1), draw, 200)
    told = desk.sink[-1].to_json()
    assert told["caller"] == "eve"
    assert told["score"] >= desk.guard.policy.threshold
    assert told["facts"]["looks"] > 1
    assert "part of the image" in told["facts"]["kinds"]
    assert len(str(told)) < 1000


def test_without_a_sample_it_learns_from_many_callers(
    entry: Any, model: Linear, draw: np.random.Generator
) -> None:
    guard = Guard(GuardPolicy(), KEY, Sink())
    for number in range(4):
        rows = natural(draw, 200)
        guard.look(f"caller {number}", entry, rows, model(rows))
    usual = guard.models[entry.digest].usual
    assert not usual.learnt  # 64 of each are not enough
    for number in range(4, 9):
        rows = natural(draw, 200)
        guard.look(f"caller {number}", entry, rows, model(rows))
    assert usual.learnt


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"evasion": "banish"}, "banish"),
        ({"threshold": 0}, "above 0"),
        ({"memory": 2}, "memory"),
        ({"slow_s": 100}, "slow_s"),
        ({"patience": 0}, "patience"),
        ({"evasoin": "note"}, "evasoin"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        GuardPolicy.of(settings)
