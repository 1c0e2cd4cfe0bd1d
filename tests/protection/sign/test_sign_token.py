"""Keys that never leave a PKCS#11 token: SoftHSM, a real token in software."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sign_files import NOW, write_certificate, write_keys

from hauberk.cli.app import run
from hauberk.core.errors import ConfigError
from hauberk.protection.sign import Authority, Pkcs11Signer, PublicKey, sign, verify

MODULE = next(
    (
        one
        for one in (Path("/usr/lib/softhsm/libsofthsm2.so"), Path("/usr/lib64/pkcs11/libsofthsm2.so"))
        if one.exists()
    ),
    None,
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a token and its key ``signer``: one for all tests, as the module is loaded only once."""
    folder = tmp_path_factory.mktemp("house")
    if MODULE is None or shutil.which("softhsm2-util") is None or importlib.util.find_spec("PyKCS11") is None:
        yield folder
        return
    (folder / "tokens").mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    (folder / "pin").write_text("4711")
    write_keys(folder, "signer", ec.generate_private_key(ec.SECP384R1()))
    imported = ["--import", str(folder / "signer.pem"), "--token", "house", "--label", "signer", "--id", "a1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(settings))
        for arguments in (["--init-token", "--free", "--label", "house", "--so-pin", "0815"], imported):
            subprocess.run(["softhsm2-util", *arguments, "--pin", "4711"], check=True, capture_output=True)
        yield folder


@pytest.fixture
def token(house: Path, absent: Callable[[str, str], None]) -> str:
    """The URI of the key, with the PIN in a file."""
    if MODULE is None or shutil.which("softhsm2-util") is None:
        absent("SoftHSM", "apt-get install softhsm2")
    if importlib.util.find_spec("PyKCS11") is None:
        absent("PyKCS11", "pip install PyKCS11")
    return f"pkcs11:token=house;object=signer?pin-source=file:{house / 'pin'}&module-path={MODULE}"


def test_a_key_in_a_token_signs(package: Path, house: Path, keys: Path, token: str) -> None:
    signed = sign(package, Pkcs11Signer(token), keys / "sig")
    found = verify(package, keys / "sig", PublicKey(house / "signer.pub"))
    assert found.ok
    assert found.files == signed.files
    (package / "weights.safetensors").write_bytes(b"changed")
    assert not verify(package, keys / "sig", PublicKey(house / "signer.pub")).ok


def test_a_certified_key_in_a_token_signs(package: Path, house: Path, keys: Path, token: str) -> None:
    inside = load_pem_private_key((house / "signer.pem").read_bytes(), None)
    root = write_keys(keys, "root")
    write_certificate(keys, "root", root, "root", root, authority=True)
    write_certificate(keys, "signer", inside, "root", root)
    signer = Pkcs11Signer(token, certificate=keys / "signer.crt", chain=(keys / "root.crt",))
    sign(package, signer, keys / "sig")
    found = verify(package, keys / "sig", Authority((keys / "root.crt",)), clock=lambda: NOW)
    assert found.ok
    assert found.signer.startswith("CN=signer")


def test_the_command_signs_with_a_token(package: Path, house: Path, keys: Path, token: str) -> None:
    out = keys / "sig"
    assert run(["sign", str(package), "--pkcs11-uri", token, "--out", str(out)]) == 0
    assert (
        run(["verify", str(package), "--signature", str(out), "--public-key", str(house / "signer.pub")]) == 0
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("object=signer", "object=nobody"),
        ("token=house", "token=elsewhere"),
        ("pin-source=file:", "pin-source=file:/nowhere"),
    ],
)
def test_a_token_that_lacks_what_was_asked(
    package: Path, house: Path, keys: Path, token: str, old: str, new: str
) -> None:
    out = keys / "sig"
    with pytest.raises(ConfigError) as caught:
        sign(package, Pkcs11Signer(token.replace(old, new)), out)
    assert "\n" not in str(caught.value)
    assert "4711" not in str(caught.value)
    assert not out.exists()
