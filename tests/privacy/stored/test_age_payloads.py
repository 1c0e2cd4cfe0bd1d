"""The age test kit against whole files: what it says opens, opens; all else is refused."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hauberk.core.errors import IntegrityError
from hauberk.crypto import age
from hauberk.crypto.secret import Secret
from hauberk.privacy.stored import SealedReader

VECTORS = Path(os.environ.get("HAUBERK_VECTORS") or Path(__file__).parents[4] / "shared" / "vectors")
KIT = [path for path in sorted((VECTORS / "age").glob("*")) if b"\narmored: " not in path.read_bytes()[:2000]]
"""Without the armoured files: armour is not read here."""


def test_the_kit_is_there(absent: Callable[[str, str], None]) -> None:
    if not KIT:
        absent("the age test kit", "put it into a folder 'age' and name the folder above in HAUBERK_VECTORS")


def test_parquet_is_there(absent: Callable[[str, str], None]) -> None:
    """Its own tests are passed over without it."""
    if importlib.util.find_spec("pyarrow") is None:
        absent("pyarrow", "pip install 'hauberk[parquet]'")


@pytest.mark.parametrize("path", KIT, ids=lambda path: path.name)
def test_a_file_of_the_kit_ends_as_expected(path: Path, tmp_path: Path) -> None:
    head, _, data = path.read_bytes().partition(b"\n\n")
    facts = [line.partition(": ")[::2] for line in head.decode().splitlines()]
    one = dict(facts)
    data = zlib.decompress(data) if one.get("compressed") == "zlib" else data
    readers: list[age.Identity] = [age.parse_identity(text) for key, text in facts if key == "identity"]
    readers += [age.Passphrase(Secret(text.encode())) for key, text in facts if key == "passphrase"]
    (tmp_path / "file").write_bytes(data)
    try:
        with SealedReader(tmp_path / "file", readers) as reader:
            digest = hashlib.sha256(reader.read(0, reader.size)).hexdigest()
    except IntegrityError:
        assert one["expect"] != "success"
        return
    assert one["expect"] == "success"
    assert digest == one["payload"]
