from __future__ import annotations

import pytest
from made_evidence import everything, whole_life

from hauberk.core.evidence import Evidence


@pytest.fixture
def life() -> list[Evidence]:
    return whole_life()


@pytest.fixture
def all_kinds() -> list[Evidence]:
    return everything()
