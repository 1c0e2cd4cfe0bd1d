"""The vectors in the tree, read twice: by the package, and by a reader written from the specification alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import make_vectors
import packages
import pytest
import second_reader

from hauberk.crypto import age
from hauberk.protection.seal import check, extract, reseal, rewrap, seal
from hauberk.protection.seal.inspecting import look_inside

LISTED: list[dict[str, Any]] = json.loads((make_vectors.FOLDER / "vectors.json").read_text("utf-8"))
each = pytest.mark.parametrize("vector", LISTED, ids=lambda one: one["file"].removesuffix(".sealed"))


def identity(text: str) -> Any:
    return age.parse_identity(text) if text.startswith("AGE-") else packages.phrase(text)


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


@each
def test_the_package_reads_it(vector: dict[str, Any], tmp_path: Path) -> None:
    path = make_vectors.FOLDER / vector["file"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == vector["sha256"]
    for place, key in enumerate(vector["opens_with"]):
        extract(path, [identity(key)], tmp_path / str(place))
        assert digests(packages.contents(tmp_path / str(place))) == vector["files_sha256"]
        prints = look_inside(path, [identity(key)])[1].fingerprints
        assert [*(prints or ())] == vector["recipients"]


@each
def test_the_second_reader_reads_it(vector: dict[str, Any]) -> None:
    data = (make_vectors.FOLDER / vector["file"]).read_bytes()
    for key in vector["opens_with"]:
        files, readers = second_reader.read(data, key)
        assert digests(files) == vector["files_sha256"]
        assert readers == vector["recipients"]
    with pytest.raises(second_reader.Refused, match="no identity"):
        second_reader.read(data, "another passphrase")


@each
def test_the_writer_makes_it_again(vector: dict[str, Any], tmp_path: Path) -> None:
    path = make_vectors.FOLDER / vector["file"]
    package = packages.write_package(tmp_path / "package")
    make_vectors.make(path.stem, package, tmp_path / "again")
    made, kept = (tmp_path / "again").read_bytes(), path.read_bytes()
    if path.stem == "hybrid":  # its shares are drawn by the library
        made, kept = (data[data.index(b"hauberk-sealed/1") :] for data in (made, kept))
    assert made == kept


def test_the_second_reader_reads_what_is_written_now(tmp_path: Path) -> None:
    """Sealed by several threads, with a new recipient, and sealed anew."""
    package, path = packages.write_package(tmp_path / "package"), tmp_path / "file"
    one, other = age.generate(), age.generate()
    seal(package, path, [one.recipient], segment_bytes=70, threads=3)
    assert second_reader.read(path.read_bytes(), one.written())[0] == packages.contents(package)
    rewrap(path, [one], add=[other.recipient])
    files, readers = second_reader.read(path.read_bytes(), other.written())
    assert files == packages.contents(package)
    assert readers == [age.fingerprint(key.recipient).hex() for key in (one, other)]
    reseal(path, [one], [other.recipient])
    assert second_reader.read(path.read_bytes(), other.written())[0] == packages.contents(package)
    with pytest.raises(second_reader.Refused):
        second_reader.read(path.read_bytes(), one.written())
    assert check(path, [other]).tensors == len(packages.TENSORS)
