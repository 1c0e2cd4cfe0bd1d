"""keygen, seal, open, rewrap, inspect by transcript; secrets stay in their files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from transcripts import Call

from hauberk.core.evidence import Evidence, load_folder
from hauberk.models import read

ROOT = Path(__file__).parents[2]


@pytest.fixture
def keys(hauberk_command: Call, tmp_path: Path) -> tuple[Path, Path]:
    """Mine, and Ann's."""
    for name in ("me", "ann"):
        said = hauberk_command("keygen", "--out", tmp_path / name)
        assert said.code == 0, said.err
        secret = (tmp_path / name).read_text().splitlines()[-1]
        assert secret not in said.out + said.err
    return tmp_path / "me", tmp_path / "ann"


@pytest.fixture
def sealed(hauberk_command: Call, keys: tuple[Path, Path], plain_package: Path, tmp_path: Path) -> Path:
    path = tmp_path / "plain.sealed"
    said = hauberk_command("seal", plain_package, "--recipient", f"{keys[0]}.pub", "--out", path)
    assert said.code == 0, said.err
    assert said.out.startswith(f"{path}: ")
    assert "for hybrid sha256:" in said.out
    return path


def test_the_whole_life(
    hauberk_command: Call, keys: tuple[Path, Path], sealed: Path, plain_package: Path, tmp_path: Path
) -> None:
    me, ann = keys
    said = hauberk_command("open", sealed, "--identity", me)
    assert said.code == 0, said.err
    assert "whole and unchanged" in said.out
    assert "nothing was written" in said.out

    said = hauberk_command("open", sealed, "--identity", ann)
    assert said.code == 1
    assert said.err.startswith("error: ")
    assert "none of the given keys opens it" in said.err

    said = hauberk_command("rewrap", sealed, "--identity", me, "--add", f"{ann}.pub", "--json")
    assert said.code == 0, said.err
    assert len(json.loads(said.out)["recipients"]) == 2

    said = hauberk_command("rewrap", sealed, "--identity", ann, "--remove", f"{me}.pub")
    assert said.code == 0, said.err
    assert "takes nothing back" in said.err
    assert hauberk_command("open", sealed, "--identity", me).code == 1

    said = hauberk_command("rewrap", sealed, "--identity", ann, "--new-key", "--add", f"{me}.pub")
    assert said.code == 0, said.err
    assert "encrypted anew" in said.out

    said = hauberk_command("open", sealed, "--identity", me, "--out", tmp_path / "opened", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["verified"] is True
    assert read(tmp_path / "opened").digest == read(plain_package).digest

    steps = [one.parameters["step"] for one in sorted(load_folder(tmp_path / "evidence"), key=_number)]
    assert sorted(steps) == ["reseal", "rewrap", "rewrap", "seal"]
    for one in load_folder(tmp_path / "evidence"):
        assert one.parents == (read(plain_package).evidence[-1].digest,)


def _number(one: Evidence) -> str:
    return one.created


def test_inspect_tells_what_may_be_told(hauberk_command: Call, keys: tuple[Path, Path], sealed: Path) -> None:
    said = hauberk_command("inspect", sealed)
    assert said.code == 0, said.err
    assert "post-quantum: yes" in said.out
    assert "the rest needs a key" in said.out
    assert "weight" not in said.out
    document = json.loads(hauberk_command("inspect", sealed, "--json").out)
    assert document["recipients"] == [{"kind": "mlkem768x25519", "fingerprint": None}]
    assert document["size_bytes"] == sealed.stat().st_size
    document = json.loads(hauberk_command("inspect", sealed, "--identity", keys[0], "--json").out)
    assert document["recipients"][0]["fingerprint"]
    assert {"name", "dtype", "shape"} == document["tensors"][0].keys()


def test_damage_is_exit_code_1(hauberk_command: Call, keys: tuple[Path, Path], sealed: Path) -> None:
    data = bytearray(sealed.read_bytes())
    data[-1] ^= 1
    sealed.write_bytes(data)
    said = hauberk_command("open", sealed, "--identity", keys[0])
    assert said.code == 1
    assert "does not verify" in said.err
    sealed.write_bytes(data[:-1])
    assert hauberk_command("inspect", sealed).code == 1


def test_passphrases_come_from_files_or_the_terminal(
    hauberk_command: Call, plain_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hauberk.crypto.age.passphrase.Passphrase.__init__", _cheap())
    (tmp_path / "phrase").write_text("correct horse\nbattery\n")
    (tmp_path / "none").write_text("\n")
    path = tmp_path / "file"
    said = hauberk_command("seal", plain_package, "--passphrase-file", tmp_path / "phrase", "--out", path)
    assert said.code == 0, said.err
    assert "for a passphrase" in said.out
    assert hauberk_command("open", path, "--passphrase-file", tmp_path / "phrase").code == 0
    said = hauberk_command("open", path, "--passphrase-file", tmp_path / "none")
    assert said.code == 2
    monkeypatch.setattr("click.prompt", lambda *_args, **_more: "correct horse")
    assert hauberk_command("open", path, "--passphrase").code == 0
    monkeypatch.setattr("click.prompt", lambda *_args, **_more: "wrong")
    assert hauberk_command("open", path, "--passphrase").code == 1


def _cheap() -> object:
    """Passphrases whose work takes milliseconds."""
    from hauberk.crypto.age import Passphrase

    honest = Passphrase.__init__

    def made(self: Passphrase, secret: object, work_factor: int = 4) -> None:
        honest(self, secret, work_factor)  # type: ignore[arg-type]

    return made


def test_wrong_use_is_exit_code_2(
    hauberk_command: Call, keys: tuple[Path, Path], sealed: Path, plain_package: Path, tmp_path: Path
) -> None:
    me, ann = keys
    out = tmp_path / "other"
    for arguments, what in (
        (("open", sealed), "nothing to open it with"),
        (("open", sealed, "--identity", f"{me}.pub"), "public key"),
        (("seal", plain_package, "--recipient", me, "--out", out), "secret key"),
        (("seal", plain_package, "--out", out), "nobody could open it"),
        (("seal", plain_package, "--recipient", f"{me}.pub", "--out", sealed), "exists already"),
        (("seal", tmp_path, "--recipient", f"{me}.pub", "--out", out), "is missing"),
        (("keygen", "--out", me), "never replaced"),
        (("keygen", "--out", out, "--kind", "rsa"), "unknown kind of key"),
        (("rewrap", sealed, "--identity", me), "nothing to do"),
        (("rewrap", sealed, "--identity", me, "--new-key"), "exactly those named with --add"),
        (("rewrap", sealed, "--identity", me, "--add", f"{ann}.pub", "--remove", f"{ann}.pub"), "both added"),
        (("open", tmp_path / "none", "--identity", me), "no sealed file"),
    ):
        said = hauberk_command(*arguments)
        assert said.code == 2, (arguments, said)
        assert what in said.err
        assert me.read_text().splitlines()[-1] not in said.err


def test_a_key_that_others_can_read_is_said(
    hauberk_command: Call, keys: tuple[Path, Path], sealed: Path
) -> None:
    keys[0].chmod(0o644)
    said = hauberk_command("open", sealed, "--identity", keys[0])
    assert said.code == 0
    assert "warning: others on this machine can read" in said.err


def test_help_fits_a_screen(hauberk_command: Call) -> None:
    for verb in ("keygen", "seal", "open", "rewrap", "inspect"):
        said = hauberk_command(verb, "--help")
        assert said.code == 0
        assert len(said.out.splitlines()) <= 45
        assert f"Example: hauberk {verb}" in said.out


def test_sealing_and_opening_need_no_torch(
    keys: tuple[Path, Path], plain_package: Path, tmp_path: Path
) -> None:
    code = (
        "import sys\nfrom hauberk.cli.app import run\n"
        "me, package, folder = sys.argv[1:]\n"
        "codes = [run(['keygen', '--out', folder + '/k']),\n"
        "         run(['seal', package, '--recipient', me + '.pub', '--out', folder + '/s']),\n"
        "         run(['open', folder + '/s', '--identity', me, '--out', folder + '/p']),\n"
        "         run(['inspect', folder + '/s'])]\n"
        "assert codes == [0, 0, 0, 0], codes\nassert 'torch' not in sys.modules\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(keys[0]), str(plain_package), str(tmp_path)],
        capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
