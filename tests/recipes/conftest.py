from __future__ import annotations

from pathlib import Path

import pytest
from tests_small import SMALL


@pytest.fixture
def small_recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path
