"""Under a policy that demands signatures, nothing else is loaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import hauberk
from hauberk.core.errors import ConfigError, IntegrityError, PolicyViolation
from hauberk.models import package as packages
from hauberk.protection.sign import KeySigner, PublicKey, SignedOnly, load_signed, sign


def test_only_what_was_signed_is_loaded(package: Path, keys: Path) -> None:
    policy = SignedOnly((PublicKey(keys / "own.pub"),))
    with pytest.raises(PolicyViolation, match="is not signed"):
        policy.load(package)
    sign(package, KeySigner(keys / "own.pem"), package.with_name("small.sig"))
    x = torch.rand(2, *hauberk.load(package).input_shape)
    torch.testing.assert_close(policy.load(package)(x), hauberk.load(package)(x))
    loaded = load_signed(
        package, signed_by=PublicKey(keys / "own.pub"), signature=package.with_name("small.sig")
    )
    torch.testing.assert_close(loaded(x), hauberk.load(package)(x))
    with pytest.raises(IntegrityError, match="does not hold"):
        SignedOnly((PublicKey(keys / "other.pub"),)).load(package)
    both = SignedOnly((PublicKey(keys / "other.pub"), PublicKey(keys / "own.pub")))
    assert both.verify(package).ok
    (package / "extra.txt").write_text("x")
    with pytest.raises(IntegrityError, match=r"added extra\.txt"):
        policy.load(package)
    with pytest.raises(ConfigError, match="at least one"):
        SignedOnly(())


def test_a_package_exchanged_between_two_looks(
    package: Path, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verified, exchanged, loaded, and put back: the loaded weights are not the signed ones."""
    sign(package, KeySigner(keys / "own.pem"), tmp_path / "sig")
    other = hauberk.load(package)
    with torch.no_grad():
        for one in other.parameters():
            one.add_(1)
    hauberk.save(other, tmp_path / "other")
    real = packages.load

    def exchanged(path: Any, **settings: Any) -> Any:
        shutil.move(package, tmp_path / "aside")
        shutil.copytree(tmp_path / "other", package)
        try:
            return real(path, **settings)
        finally:
            shutil.rmtree(package)
            shutil.move(tmp_path / "aside", package)

    monkeypatch.setattr(packages, "load", exchanged)
    with pytest.raises(IntegrityError, match="changed after its signature"):
        load_signed(package, signed_by=PublicKey(keys / "own.pub"), signature=tmp_path / "sig")
