"""The GitHub Action and the GitLab template: valid by published schemas, and their steps run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent.parent
ACTION, GITLAB = ROOT / "action.yml", ROOT / "integrations" / "gitlab" / "hauberk.gitlab-ci.yml"
REPORTS = {"audit.html", "audit.json", "audit.sarif", "audit.junit.xml"}
PASSES = 'format = "hauberk-policy/1"\nprofile = "low"\nfail_at = "critical"\n'


def read(path: Path) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    document: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return document


@pytest.mark.parametrize(("schema", "path"), [("vendor.github-actions", ACTION), ("vendor.gitlab-ci", GITLAB)])
def test_they_meet_the_published_schemas(schema: str, path: Path, absent: Callable[[str, str], None]) -> None:
    if find_spec("check_jsonschema") is None:
        absent("check-jsonschema", "pip install check-jsonschema")
    said = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A working folder, and this hauberk as the command that the scripts find."""
    commands = tmp_path / "bin"
    commands.mkdir()
    command = commands / "hauberk"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hauberk "$@"\n')
    command.chmod(0o755)
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def environment(place: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    commands = [str(place.parent / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    return {
        **os.environ,
        "PATH": os.pathsep.join(commands),
        "PYTHONPATH": path,
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }  # fmt: skip


def resolved(text: str, known: dict[str, str]) -> str:
    """``${{ name }}`` as the runner fills it in."""
    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: known[found[1]], text)


class Runner:
    """The shell steps of a composite action, one after the other."""

    def __init__(self, place: Path, **given: str) -> None:
        self.place, action = place, read(ACTION)
        self.steps = [one for one in action["runs"]["steps"] if "run" in one]
        self.known = {f"inputs.{name}": str(one.get("default", "")) for name, one in action["inputs"].items()}
        self.known |= {f"inputs.{name.replace('_', '-')}": value for name, value in given.items()}
        self.summary = place.parent / "summary"

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        (step,) = [one for one in self.steps if one["name"] == name]
        assert "${{" not in step["run"]  # what is put into a script's text could be a script
        output = self.place.parent / "output"
        output.write_text("")
        own = {key: resolved(value, self.known) for key, value in step["env"].items()}
        said = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.place, capture_output=True, text=True, timeout=300,
            env={
                **environment(self.place), **own,
                "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(self.summary),
            },
        )  # fmt: skip
        for line in output.read_text().splitlines():
            key, _, value = line.partition("=")
            self.known[f"steps.{step.get('id', name)}.outputs.{key}"] = value
        return said


def policy(place: Path) -> str:
    (place / "policy.toml").write_text(PASSES)
    return "policy.toml"


def test_the_action_says_no_and_leaves_its_report(place: Path, plain_package: Path) -> None:
    runner = Runner(place, target=str(plain_package))
    assert runner.run("Install").returncode == 0
    said = runner.run("Audit")
    assert said.returncode == 0, said.stderr  # the report must be kept before the job fails
    assert {one.name for one in (place / "hauberk-audit").iterdir()} == {*REPORTS, "audit.txt"}
    assert json.loads((place / "hauberk-audit" / "audit.sarif").read_text())["version"] == "2.1.0"
    assert runner.known["steps.audit.outputs.code"] == "1"
    assert runner.known["steps.audit.outputs.sarif"] == "hauberk-audit/audit.sarif"
    assert runner.run("Verdict").returncode == 1
    assert "does not meet the policy" in runner.summary.read_text()


def test_the_action_passes_what_meets_the_policy(place: Path, plain_package: Path) -> None:
    runner = Runner(
        place, target=str(plain_package), policy=policy(place), language="zh", options="--all --seed 3"
    )
    said = runner.run("Audit")
    assert runner.known["steps.audit.outputs.code"] == "0", said.stdout + said.stderr
    assert runner.run("Verdict").returncode == 0


def test_a_wrong_call_fails_the_job(place: Path) -> None:
    runner = Runner(place, target="no-such-place; touch pwned")
    said = runner.run("Audit")
    assert runner.known["steps.audit.outputs.code"] in ("2", "3"), said.stderr
    assert "steps.audit.outputs.sarif" not in runner.known
    assert runner.run("Verdict").returncode != 0
    assert not (place / "pwned").exists()


def gitlab(place: Path, **given: str) -> subprocess.CompletedProcess[str]:
    job = read(GITLAB)[".hauberk-audit"]
    script = "\n".join([*job["before_script"], *job["script"]])
    return subprocess.run(
        ["sh", "-e", "-c", script], cwd=place, capture_output=True, text=True, timeout=300,
        env={**environment(place), **job["variables"], **given},
    )  # fmt: skip


@pytest.mark.slow
def test_the_gitlab_job(place: Path, plain_package: Path) -> None:
    said = gitlab(place, HAUBERK_TARGET=str(plain_package))
    assert said.returncode == 1, said.stdout + said.stderr
    job = read(GITLAB)[".hauberk-audit"]
    tests = ElementTree.parse(place / job["artifacts"]["reports"]["junit"])
    assert list(tests.iter("failure"))
    assert {one.name for one in (place / job["artifacts"]["paths"][0]).iterdir()} == REPORTS
    said = gitlab(
        place, HAUBERK_TARGET=str(plain_package), HAUBERK_POLICY=policy(place), HAUBERK_LANGUAGE="zh",
        HAUBERK_OPTIONS="--all",
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr


def test_every_option_that_they_use_exists() -> None:
    from hauberk.cli.audit_command import command

    known = {option for one in command.params for option in one.opts}
    for path in (ACTION, GITLAB):
        used = set(re.findall(r"(?<![\w-])--[a-z-]+(?= [\"\w])", path.read_text("utf-8")))
        assert {"--format", "--out", "--policy"} <= used & known
