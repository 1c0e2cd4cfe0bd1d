"""The register and the key: what is written comes back, and nothing else does."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hauberk.core.errors import ConfigError, DataError, HauberkError, IntegrityError
from hauberk.core.evidence import Evidence
from hauberk.crypto.secret import Secret
from hauberk.protection.trace import key as keys
from hauberk.protection.trace.code import CodePlan
from hauberk.protection.trace.register import Register, locked

KEY = Secret(bytes(range(32)))
PROOF = Evidence(kind="trace", subject={"name": "copy", "digest": "sha256:c0"})


@pytest.fixture
def register() -> Register:
    empty = Register(keys.commitment(KEY), "sha256:00", CodePlan(recipients=3), 0.05)
    return empty.with_recipient("Ward 3", PROOF).with_recipient("李", PROOF)


def test_there_and_back(register: Register, tmp_path: Path) -> None:
    path = register.save(tmp_path / "issued.json", KEY)
    assert Register.load(path, KEY) == register
    assert register.names == ("Ward 3", "李")
    assert register.issued[0].copy == "sha256:c0"
    assert register.issued[0].evidence == PROOF.digest


def test_a_name_has_one_copy_and_the_code_so_many_recipients(register: Register) -> None:
    with pytest.raises(ConfigError, match="'Ward 3' has a copy already"):
        register.with_recipient(" Ward 3", PROOF)
    with pytest.raises(ConfigError, match="made for 3 recipients"):
        register.with_recipient("third", PROOF).check_free("fourth")


def test_another_key_says_so(register: Register, tmp_path: Path) -> None:
    path = register.save(tmp_path / "issued.json", KEY)
    with pytest.raises(IntegrityError, match="made with another key"):
        Register.load(path, Secret(bytes(32)))


def test_every_change_shows(register: Register, tmp_path: Path) -> None:
    path = register.save(tmp_path / "issued.json", KEY)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            found = Register.load(path, KEY)
        except (IntegrityError, DataError):
            continue
        assert found == register  # a blank became another blank at most
    for cut in (0, 1, len(whole) // 2, len(whole) - 2):
        path.write_bytes(whole[:cut])
        with pytest.raises((IntegrityError, DataError)):
            Register.load(path, KEY)


def test_names_cannot_be_swapped_by_who_has_no_key(register: Register, tmp_path: Path) -> None:
    path = register.save(tmp_path / "issued.json", KEY)
    document = json.loads(path.read_text())
    document["issued"][0]["name"] = "Ward 4"
    path.write_text(json.dumps(document))
    with pytest.raises(IntegrityError, match="damaged or was changed"):
        Register.load(path, KEY)
    path.write_text("[]")
    with pytest.raises(DataError, match="not a hauberk-trace-register/1"):
        Register.load(path, KEY)


def test_about_another_model(register: Register) -> None:
    with pytest.raises(ConfigError, match="another model"):
        register.check_model("sha256:11")
    replace(register, model="sha256:11").check_model("sha256:11")


def test_two_issuers_at_once_lose_nothing(tmp_path: Path) -> None:
    """Four processes enter five names each; every one of them is there in the end."""
    path = tmp_path / "issued.json"
    plan = CodePlan(recipients=100)
    Register(keys.commitment(KEY), "sha256:00", plan, 0.05).save(path, KEY)
    code = """
import sys
from hauberk.core.evidence import Evidence
from hauberk.crypto.secret import Secret
from hauberk.protection.trace.register import Register, locked
path, who = sys.argv[1:]
key = Secret(bytes(range(32)))
proof = Evidence(kind="trace", subject={"digest": "sha256:c0"})
for number in range(5):
    with locked(path):
        Register.load(path, key).with_recipient(f"{who} {number}", proof).save(path, key)
assert "torch" not in sys.modules
"""
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), str(one)]) for one in range(4)]
    assert [one.wait(timeout=60) for one in running] == [0, 0, 0, 0]
    assert sorted(Register.load(path, KEY).names) == sorted(f"{a} {b}" for a in range(4) for b in range(5))


def test_a_lock_that_cannot_be_had(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HauberkError, match="could not lock"), locked(tmp_path / "file" / "issued.json"):
        pass


def test_keys_are_private_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "trace.key"
    assert keys.generate(path, random=lambda size: bytes(range(size))) == KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.read(path) == KEY
    assert repr(keys.read(path)) == "Secret(32 bytes)"
    with pytest.raises(ConfigError, match="exists already"):
        keys.generate(path)
    assert keys.generate(tmp_path / "other") != keys.generate(tmp_path / "third")


@pytest.mark.parametrize(
    "content", [b"", b"x" * 32, b"HAUBERK-TRACE-KEY-1 00", b"HAUBERK-WATERMARK-KEY-1 " + b"00" * 32]
)
def test_what_is_no_key(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(content)
    (tmp_path / "k").chmod(0o600)
    with pytest.raises(DataError, match="tracing key"):
        keys.read(tmp_path / "k")
    with pytest.raises(DataError, match="no tracing key at"):
        keys.read(tmp_path / "absent")
