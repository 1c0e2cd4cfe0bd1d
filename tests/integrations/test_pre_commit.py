"""pre-commit itself, on a git repository of its own: what is unsafe is not committed."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from hauberk.integrations.pre_commit import main

ROOT = Path(__file__).parent.parent.parent
HOOKS = ROOT / ".pre-commit-hooks.yaml"
SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"  # in an issuer's form, and nobody's


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("true",)


@pytest.fixture
def repository(tmp_path: Path, absent: Callable[[str, str], None]) -> Path:
    """With the hooks as a second repository beside it, as on a code host."""
    if find_spec("pre_commit") is None:
        absent("pre-commit", "pip install pre-commit")
    if shutil.which("git") is None:
        absent("git", "apt-get install git")
    hooks, mine = tmp_path / "hooks", tmp_path / "mine"
    hooks.mkdir()
    shutil.copy(HOOKS, hooks)
    for folder in (hooks, mine):
        folder.mkdir(exist_ok=True)
        git(folder, "init", "-q")
    git(hooks, "add", ".")
    git(hooks, "commit", "-q", "-m", "hooks")
    rev = git(hooks, "rev-parse", "HEAD").stdout.strip()
    lines = [
        "repos:",
        f"- repo: {hooks}",
        f"  rev: {rev}",
        "  hooks:",
        "  - {id: hauberk-scan, language: system}",
        "  - {id: hauberk-secrets, language: system}",
    ]
    (mine / ".pre-commit-config.yaml").write_text("\n".join(lines) + "\n")
    return mine


def environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": path,
        "PRE_COMMIT_HOME": str(folder.parent / "pre-commit"),
        "HOME": str(folder.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
    }  # fmt: skip


def git(folder: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *words], cwd=folder, check=check, capture_output=True, text=True, timeout=180,
        env=environment(folder),
    )  # fmt: skip


def test_a_commit_is_stopped_and_a_clean_one_goes_through(repository: Path) -> None:
    installed = subprocess.run(
        [sys.executable, "-m", "pre_commit", "install"], cwd=repository, capture_output=True, text=True,
        timeout=120, env=environment(repository),
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    (repository / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    (repository / "train.py").write_text(f'TOKEN = "{SECRET}"\n')
    safetensors.numpy.save_file({"w": np.zeros(3, np.float32)}, repository / "good.safetensors")
    git(repository, "add", ".")
    said = git(repository, "commit", "-m", "all of it", check=False)
    told = said.stdout + said.stderr
    assert said.returncode == 1, told
    assert "evil.pkl: high:" in told
    assert "train.py:1: an API key" in told
    assert SECRET not in told
    assert "good.safetensors" not in told
    assert git(repository, "rev-parse", "HEAD", check=False).returncode != 0
    git(repository, "rm", "-q", "--cached", "evil.pkl", "train.py")
    assert git(repository, "commit", "-m", "the rest").returncode == 0


def test_the_hooks_are_a_valid_manifest(absent: Callable[[str, str], None]) -> None:
    if find_spec("pre_commit") is None:
        absent("pre-commit", "pip install pre-commit")
    said = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", str(HOOKS)], capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr


def test_what_cannot_be_looked_at_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(tmp_path / "absent.pt")]) == 1
    assert main(["secrets", str(tmp_path / "absent.py")]) == 1
    assert capsys.readouterr().out.count("could not be looked at") == 2
    assert main(["scan"]) == 0
    assert main(["look", "x"]) == 2
    assert main([]) == 2


def test_private_keys_and_allowed_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, fine = tmp_path / "server.txt", tmp_path / "fine.py"
    key.write_text(
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIBzHkQ9Q3Ly5F4m\n-----END PRIVATE KEY-----\n"
    )
    fine.write_text(f'TOKEN = "{SECRET}"  # pragma: allowlist secret\n')
    assert main(["secrets", str(key)]) == 1
    assert "MC4C" not in capsys.readouterr().out
    assert main(["secrets", str(fine)]) == 0


def test_it_starts_without_torch() -> None:
    code = (
        "import sys\nfrom hauberk.integrations.pre_commit import main\n"
        "main(['secrets', sys.argv[1]]); main(['scan', sys.argv[1]])\nprint('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code, __file__], capture_output=True, text=True, timeout=60)
    assert said.stdout.strip().endswith("False"), said.stderr
