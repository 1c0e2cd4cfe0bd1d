"""Keys of marks, traces and obfuscation: private files that say what they are for."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import get_args

import pytest

from hauberk.core.errors import ConfigError, DataError
from hauberk.crypto import owner_key
from hauberk.crypto.owner_key import Use

USES = get_args(Use)


@pytest.mark.parametrize("use", USES)
def test_a_key_comes_back_is_private_and_is_never_replaced(use: Use, tmp_path: Path) -> None:
    path = tmp_path / "key"
    made = owner_key.generate(path, use, random=lambda size: bytes(range(size)))
    assert path.read_text() == f"HAUBERK-{use.upper()}-KEY-1 {bytes(range(32)).hex()}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert owner_key.read(path, use) == made == bytes(range(32))
    with pytest.raises(ConfigError, match="exists already"):
        owner_key.generate(path, use)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read"):
        owner_key.read(path, use)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("other", USES)
def test_a_key_serves_one_use(use: Use, other: Use, tmp_path: Path) -> None:
    owner_key.generate(tmp_path / "key", use)
    if use == other:
        assert len(owner_key.read(tmp_path / "key", other)) == 32
    else:
        with pytest.raises(DataError, match=r"is no \w+ key: it is the \w+ key"):
            owner_key.read(tmp_path / "key", other)
