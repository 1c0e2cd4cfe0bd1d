"""One look at each thing of an interpreter: a good one shows nothing, and each fault shows itself alone."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from hauberk.assurance.environment.machine import Interpreter, Look, look

TODAY = date(2026, 11, 22)


def interpreter(**changes: object) -> Interpreter:
    good: dict[str, object] = {
        "version": (3, 12),
        "optimize": 0,
        "path": (),
        "environment": {},
        "uid": 1000,
        "core_limit": 0,
        "umask": 0o022,
        "ptrace": 1,
        "openssl": (3, 0, 0, 15, 0),
        "tls": int(ssl.TLSVersion.TLSv1_2),
    }
    return Interpreter(**(good | changes))  # type: ignore[arg-type]


def wrong(**changes: object) -> list[Look]:
    return [one for one in look(interpreter(**changes), today=TODAY) if one.severity is not None]


def test_in_order() -> None:
    assert wrong() == []


@pytest.mark.parametrize(
    ("changes", "name", "severity"),
    [
        ({"version": (3, 9)}, "python", "high"),
        ({"version": (3, 10)}, "python", "high"),  # ended three weeks before
        ({"version": (2, 7)}, "python", "high"),
        ({"optimize": 1}, "assertions", "medium"),
        ({"environment": {"PYTHONOPTIMIZE": "2"}}, "assertions", "medium"),
        ({"environment": {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}}, "variables", "high"),
        ({"environment": {"LD_PRELOAD": "/x.so"}}, "variables", "high"),
        ({"environment": {"PYTHONHASHSEED": "0"}}, "variables", "medium"),
        ({"uid": 0}, "user", "medium"),
        ({"core_limit": -1}, "core-dumps", "low"),
        ({"core_limit": 1024}, "core-dumps", "low"),
        ({"umask": 0o002}, "umask", "medium"),
        ({"umask": 0o000}, "umask", "medium"),
        ({"ptrace": 0}, "memory", "low"),
        ({"openssl": (1, 1, 1, 23, 15)}, "openssl", "high"),
        ({"tls": int(ssl.TLSVersion.TLSv1)}, "tls", "high"),
        ({"tls": int(ssl.TLSVersion.MINIMUM_SUPPORTED)}, "tls", "high"),
    ],
)
def test_each_fault_alone(changes: dict[str, object], name: str, severity: str) -> None:
    assert [(one.name, one.severity) for one in wrong(**changes)] == [(name, severity)]


@pytest.mark.parametrize(
    "changes",
    [
        {"version": (3, 11)},
        {"version": (3, 99)},
        {
            "environment": {
                "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "0",
                "PYTHONHASHSEED": "random",
                "LD_PRELOAD": "",
            }
        },
        {"umask": None, "ptrace": None},
        {"umask": 0o077},
        {"tls": int(ssl.TLSVersion.TLSv1_3)},
    ],
)
def test_what_is_harmless(changes: dict[str, object]) -> None:
    assert wrong(**changes) == []


def test_folders_of_modules_that_others_may_write_to(tmp_path: Path) -> None:
    safe = tmp_path / "safe"
    safe.mkdir(mode=0o755)
    assert wrong(path=(str(safe), str(tmp_path / "none.zip"))) == []
    wide = tmp_path / "wide"
    (wide / "inner").mkdir(parents=True)
    wide.chmod(0o777)
    found = wrong(path=(str(wide / "inner"),))
    assert [(one.name, one.severity) for one in found] == [("module-folders", "critical")]
    assert str(wide) in found[0].found.en
    assert found[0].fix == f"chmod go-w {wide}"
    wide.chmod(0o1777)  # as /tmp: nobody renames what is another's below it
    assert wrong(path=(str(wide / "inner"),)) == []
    assert wrong(path=(str(wide),)) != []  # but anybody adds a module in it


def test_the_working_folder_counts_where_modules_are_looked_for_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.chdir(tmp_path)
    assert [one.name for one in wrong(path=("",))] == ["module-folders"]


def test_a_real_process_is_seen_as_it_is() -> None:
    program = (
        "import datetime, os, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.umask(0o007)\n"
        "from hauberk.assurance.environment.machine import look\n"
        "for one in look(today=datetime.date.today()):\n"
        "    print(one.name, one.severity)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-O", "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    assert {"assertions medium", "core-dumps None", "umask medium"} <= set(said)
    assert "variables medium" in said or "variables high" in said
    assert ("user medium" in said) == (os.geteuid() == 0)
