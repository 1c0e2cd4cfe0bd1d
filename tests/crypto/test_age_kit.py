"""The age test kit: 143 files, most of them wrong in one way, each with its expected outcome."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import age_files
import pytest
from vectors import files

KIT = files("age")


def test_the_kit_is_whole(absent: Callable[[str, str], None]) -> None:
    if not KIT:
        absent("the age test kit", "put it into a folder 'age' and name the folder above in HAUBERK_VECTORS")
    assert len(KIT) == 143


@pytest.mark.parametrize("path", KIT, ids=lambda path: path.name)
def test_every_file_ends_as_expected(path: Path) -> None:
    one = age_files.case(path)
    assert age_files.read(one) == one.expect
