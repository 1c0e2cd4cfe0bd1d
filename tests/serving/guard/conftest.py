"""A small model's stand-in: the guard asks of an entry only its digest, shape, bounds and labels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from desks import SHAPE, Desk, Linear


@pytest.fixture
def entry() -> Any:
    engine = SimpleNamespace(input_shape=SHAPE, labels=tuple("0123456789"), bounds=lambda: (0.0, 1.0))
    return SimpleNamespace(name="net", digest="sha256:model", engine=engine)


@pytest.fixture
def model() -> Linear:
    return Linear()


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def desk(entry: Any, model: Linear, draw: np.random.Generator) -> Desk:
    return Desk(entry, model, draw)
