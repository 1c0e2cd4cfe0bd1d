"""A small data set whose truth is known, registered or not."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from hauberk.privacy.queries import Column, Description

REGIONS = ("north", "south", "west", "nowhere")


@pytest.fixture(autouse=True)
def needed(absent: Callable[[str, str], None]) -> None:
    for part in ("opendp", "sqlglot"):
        if importlib.util.find_spec(part) is None:
            absent(part, "pip install 'hauberk[queries]'")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """600 rows of 300 people."""
    chance = random.Random(3)
    lines = ["who,age,region,income,job"]
    for row in range(600):
        job = chance.choice(["cook", "nurse"]) if row else "the only astronaut"
        age, region, income = chance.randint(0, 100), chance.choice(REGIONS[:3]), chance.uniform(0, 1e5)
        lines.append(f"p{row % 300},{age},{region},{income:.2f},{job}")
    path = tmp_path / "people.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def described() -> Description:
    columns = (
        Column("age", "number", 0, 110),
        Column("region", "category", values=REGIONS),
        Column("income", "number", -1000, 100_000),
        Column("job", "open"),
    )
    return Description({one.name: one for one in columns})
