"""A caller's rate: what he may ask for at once, what he owes afterwards, and that others do not pay for him."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from model_servers import question, served

from hauberk.core.errors import ConfigError
from hauberk.serving.limits import Limits
from hauberk.serving.pacing import Pace
from hauberk.serving.problems import Problem

IMAGES = np.random.default_rng(0).random((3, 1, 4, 4), dtype=np.float32)


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refused(pace: Pace, caller: str) -> str | None:
    """What Retry-After says, if he is refused."""
    try:
        pace.check(caller)
    except Problem as problem:
        return problem.headers["retry-after"]
    return None


def test_who_asks_for_too_much_waits_until_it_is_paid() -> None:
    seconds = Seconds()
    pace = Pace(10, seconds=seconds)
    for _ in range(2):
        assert refused(pace, "ward") is None
        pace.spend("ward", 5)
    assert refused(pace, "ward") == "1"
    assert refused(pace, "other") is None
    seconds.now += 0.11
    assert refused(pace, "ward") is None
    pace.spend("ward", 35)  # no request is too large to be answered at all
    assert refused(pace, "ward") == "4"
    seconds.now += 3.3
    assert refused(pace, "ward") == "1"
    seconds.now += 0.2
    assert refused(pace, "ward") is None


def test_in_the_long_run_nobody_gets_more_than_his_rate() -> None:
    seconds = Seconds()
    pace, answered = Pace(10, seconds=seconds), 0
    for _ in range(10_000):
        if refused(pace, "ward") is None:
            pace.spend("ward", 3)
            answered += 3
        seconds.now += 0.01
    assert 1000 - 3 <= answered <= 1000 + 10 + 3


def test_saving_up_ends_at_one_second() -> None:
    seconds = Seconds()
    pace = Pace(0.5, seconds=seconds)
    pace.spend("ward", 1)
    seconds.now += 1000
    pace.spend("ward", 1)
    assert refused(pace, "ward") == "1"


def test_no_limit_unless_asked_for() -> None:
    pace = Pace(0)
    pace.spend("ward", 1_000_000)
    assert refused(pace, "ward") is None


def test_a_server_says_when_to_come_back(nets: tuple[Path, Path]) -> None:
    with served({"net": nets[0]}, limits={"caller_rows_per_s": 0.01}) as server:
        assert server.infer("net", IMAGES)[0] == 200
        status, headers, body = server.ask("POST", "/v2/models/net/infer", question(IMAGES))
        assert status == 429
        assert 195 <= int(headers["retry-after"]) <= 201
        assert b"0.01 images a second" in body
        assert server.ask("GET", "/v2/models/net")[0] == 200


@pytest.mark.parametrize("rate", [-1, float("nan"), float("inf"), "many"])
def test_a_rate_is_a_number(rate: float) -> None:
    with pytest.raises(ConfigError, match="caller_rows_per_s must lie in"):
        Limits(caller_rows_per_s=rate)
