"""Configured objects by name: what exists is made, everything else is refused with the nearest that does."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from hauberk.core.errors import ConfigError, UnknownName
from hauberk.core.settings import check_settings, configure


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
