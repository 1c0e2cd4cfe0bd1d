"""A fresh clone on a machine with Python alone: the first command of the README."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_make_quickstart_in_a_fresh_clone(tmp_path: Path) -> None:
    for tool in ("git", "make"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, timeout=60)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HAUBERK")}
    environment |= {"HOME": str(tmp_path), "PYTHON": sys.executable}

    def quickstart() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "quickstart", f"PYTHON={sys.executable}"],
            capture_output=True, text=True, cwd=clone, env=environment, timeout=1800,
        )  # fmt: skip

    first = quickstart()
    assert first.returncode == 0, first.stderr[-4000:]
    assert "undefended" in first.stdout
    made = clone / "runs" / "quickstart"
    for name in ("undefended/model.json", "hardened/model.json", "report.html"):
        assert (made / name).exists()
    stamp = (clone / ".venv" / ".installed").stat().st_mtime_ns
    second = quickstart()
    assert second.returncode == 0, second.stderr[-4000:]
    assert (clone / ".venv" / ".installed").stat().st_mtime_ns == stamp
    assert time.time_ns() > stamp


def test_no_trace_of_a_machine() -> None:
    """The project speaks only of itself."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT)
    if listed.returncode:
        pytest.skip("not a git checkout")
    forbidden = ("/" + "work/", "/" + "root/", "pypi" + ".org", "files.python" + "hosted")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in (".png", ".gz") or not path.exists():
            continue
        text = path.read_text("utf-8", errors="replace")
        for word in forbidden:
            assert word not in text, f"{word} in {name}"
