"""Configured objects by name: what exists is made, everything else is refused with the nearest that does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from hauberk.core.errors import ConfigError, UnknownName
from hauberk.core.settings import (
    check_settings,
    configure,
    require_above_zero,
    require_count,
    require_number,
    require_positive,
    require_range,
    require_within,
)


@dataclass(frozen=True)
class Plain:
    steps: int = 3
    parts: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Needy:
    source: int
    target: int
    rate: float = 0.5


KINDS: dict[str, type] = {"plain": Plain, "needy": Needy}


def make(name: str, **settings: object) -> object:
    return configure(KINDS, name, settings, what="method", where="the test", noun="thing")


def test_what_exists_is_made() -> None:
    assert make("plain", steps=5) == Plain(steps=5)
    assert make("needy", source=1, target=2) == Needy(1, 2)


def test_what_does_not_is_refused() -> None:
    with pytest.raises(UnknownName, match="unknown method 'plan' in the test; did you mean 'plain'"):
        make("plan")
    with pytest.raises(UnknownName, match="unknown setting 'stepz' in thing plain; did you mean 'steps'"):
        make("plain", stepz=5)
    with pytest.raises(ConfigError, match=r"thing needy needs target$"):
        make("needy", source=1)
    with pytest.raises(ConfigError, match=r"thing needy needs source and target$"):
        make("needy")
    with pytest.raises(UnknownName, match="did you mean 'rate'"):
        check_settings(Needy, ["rat"], where="the test")


ODD = (True, "3", None, math.nan, math.inf, [1])  # what no check may take for a number


def takes(check: Callable[[object], None], value: object) -> bool:
    try:
        check(value)
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (lambda x: require_count("n", x, "W"), (1, 7), (0, -1, 1.0)),
        (lambda x: require_count("n", x, "W", least=0, most=3), (0, 3), (-1, 4)),
        (lambda x: require_count("n", x, "W", least=0, most=0), (0,), (1,)),
        (lambda x: require_number("n", x, "W"), (0, -2.5), ()),
        (lambda x: require_positive("n", x, "W"), (1e-9, 3), (0, -1)),
        (lambda x: require_above_zero("n", x, "W"), (1e-9, 3), (0, -1)),
        (lambda x: require_within("n", x, "W", "[0, 1]"), (0, 1, 0.5), (-0.1, 1.1)),
        (lambda x: require_within("n", x, "W", "(0, 1]"), (1e-9, 1), (0,)),
        (lambda x: require_within("n", x, "W", "[0, 1)"), (0, 0.999), (1,)),
        (lambda x: require_within("n", x, "W", "(-1, 1e6)"), (-0.9, 5), (-1, 1e6)),
        (lambda x: require_range(0, x, "W"), (1, 0.5), (0, -1)),
    ],
)
def test_numbers_out_of_range_are_refused(
    check: Callable[[object], None], good: tuple[object, ...], bad: tuple[object, ...]
) -> None:
    assert [takes(check, value) for value in good] == [True] * len(good)
    assert [takes(check, value) for value in (*bad, *ODD)] == [False] * (len(bad) + len(ODD))


def test_the_line_says_where_what_and_the_value() -> None:
    with pytest.raises(ConfigError, match=r"^PGD: steps must be a whole number of at least 1, got 0$"):
        require_count("steps", 0, "PGD")
    with pytest.raises(ConfigError, match=r"^jpeg: quality must be a whole number in \[1, 100\], got 101$"):
        require_count("quality", 101, "jpeg", most=100)
    with pytest.raises(ConfigError, match=r"^FGSM: alpha must lie in \[0, 1\), got 1$") as caught:
        require_within("alpha", 1, "FGSM", "[0, 1)", hint="less")
    assert caught.value.hint == "less"
