"""A version straight into memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

import hauberk
from hauberk.core.errors import ConfigError, NoIdentityMatched
from hauberk.crypto import age
from hauberk.datasets import Dataset
from hauberk.protection.seal import seal
from hauberk.protection.seal.recording import sealed_evidence
from hauberk.vault import Vault, load, pull, push


def answers(model: Any, digits: Dataset) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(digits.images[:32])
    return found


def test_a_loaded_version_is_the_model_and_never_on_disk(
    vault: Vault, plain_package: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = push(vault, plain_package, "digits").version
    plain = hauberk.load(plain_package)
    assert pushed.subject == plain.digest

    def nothing(*_arguments: object, **_settings: object) -> None:
        raise AssertionError("a file was to be made")

    for name in ("NamedTemporaryFile", "TemporaryDirectory", "mkstemp", "mkdtemp"):
        monkeypatch.setattr(tempfile, name, nothing)
    loaded = load(vault, "digits")
    assert loaded.digest == plain.digest
    assert torch.equal(answers(loaded, digits), answers(plain, digits))
    assert [one.digest for one in loaded.evidence] == [one.digest for one in plain.evidence]


def test_a_sealed_version_stays_sealed(
    vault: Vault, plain_package: Path, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, other = age.generate(), age.generate()
    sealed = seal(plain_package, tmp_path / "digits.sealed", [key.recipient])
    sealed_evidence(sealed).save(tmp_path / "evidence")
    version = push(vault, tmp_path / "digits.sealed", "digits").version
    assert (version.kind, version.subject) == ("sealed", sealed.model), "its evidence names the model"
    pull(vault, "digits", tmp_path / "out" / "back.sealed")
    assert (tmp_path / "out" / "back.sealed").read_bytes() == (tmp_path / "digits.sealed").read_bytes()
    loaded = load(vault, "digits", [key])
    assert torch.equal(answers(loaded, digits), answers(hauberk.load(plain_package), digits))
    with pytest.raises(NoIdentityMatched):
        load(vault, "digits", [other])
    with pytest.raises(ConfigError, match="sealed"):
        load(vault, "digits")
