from __future__ import annotations

import pytest
from made_evidence import whole_life

from hauberk.core.evidence import Evidence


@pytest.fixture
def life() -> list[Evidence]:
    return whole_life()
