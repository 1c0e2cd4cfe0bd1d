"""What the rules about the environment say of real folders and copies of OSV: good ones, and each fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from made_advisories import advisory, zipped

from hauberk.assurance.environment import Environment, look
from hauberk.assurance.environment.machine import Interpreter
from hauberk.assurance.environment.packages import named
from hauberk.assurance.environment.rules import RULES
from hauberk.assurance.finding import Finding, Subject
from hauberk.assurance.rule import Profile
from hauberk.assurance.target import Target
from hauberk.core.errors import ConfigError

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)  # two days after the newest advisory
BY_ID = {one.id.removeprefix("environment."): one for one in RULES}
GOOD = Interpreter(
    version=(3, 12), optimize=0, path=(), environment={}, uid=1, core_limit=0, umask=0o022, ptrace=1,
    openssl=(3, 0, 0, 0, 0), tls=771,
)  # fmt: skip
OWN = [named("torch", "2.13.0+cpu", "installed"), named("numpy", "2.4.6", "installed")]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "requirements.txt").write_text("torch==2.6.0 --hash=sha256:" + "a" * 64 + "\n")
    (folder / "train.py").write_text("import torch\n")
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    worst = advisory("GHSA-1", database_specific={"severity": "CRITICAL"}, aliases=["CVE-2025-32434"])
    return zipped(tmp_path / "all.zip", worst, advisory("GHSA-2", "nobody-has-it"))


Judge = Callable[..., list[Finding]]


@pytest.fixture
def judge(repository: Path, copy: Path) -> Judge:
    def of(rule: str, profile: Profile = "standard", **options: Any) -> list[Finding]:
        facts = look(repository, **({"now": NOW, "osv": copy, "own": OWN, "interpreter": GOOD} | options))
        return on(facts, rule, profile)

    return of


def on(facts: Environment | None, rule: str, profile: Profile = "standard") -> list[Finding]:
    target = Target(
        kind="repository",
        subject=Subject("repository", "repo", "sha256:0"),
        place="repo",
        at=NOW,
        environment=facts,
    )
    return BY_ID[rule].judge(target, BY_ID[rule].defaults(profile))


@pytest.mark.parametrize("rule", BY_ID)
def test_a_good_repository_passes(rule: str, judge: Judge) -> None:
    assert [one.state for one in judge(rule, "high")] == ["passed"]


@pytest.mark.parametrize("rule", BY_ID)
def test_what_was_not_looked_at_is_not_judged(rule: str) -> None:
    assert [one.state for one in on(None, rule)] == ["not-applicable"]


@pytest.mark.parametrize("rule", BY_ID)
def test_findings_survive_json(rule: str, judge: Judge, repository: Path) -> None:
    (repository / "requirements.txt").write_text("torch==2.5.1\nonnx\n")
    (repository / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    for one in judge(rule, osv=None, interpreter=Interpreter(optimize=1)):
        assert Finding.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_a_vulnerable_package_with_its_fix(judge: Judge, repository: Path) -> None:
    (repository / "requirements.txt").write_text("torch==2.5.1+cu124\n")
    found = judge("vulnerable-packages")
    assert [(one.state, one.severity, one.fix) for one in found] == [
        ("failed", "critical", ("pip install 'torch>=2.6.0'",))
    ]
    assert "CVE-2025-32434" in found[0].seen.en
    assert "CVE-2025-32434" in found[0].seen.zh
    assert "works on models" in found[0].seen.en
    assert found[0].figures["sources"] == [str(repository / "requirements.txt")]


def test_a_flaw_without_a_word_of_how_bad_it_is_counts_as_high(judge: Judge) -> None:
    found = judge("vulnerable-packages", own=[named("nobody-has-it", "1.0", "installed")])
    assert [(one.severity, one.subject.name) for one in found] == [("high", "nobody-has-it 1.0")]


@pytest.mark.parametrize(
    "options",
    [
        {"osv": None},
        {"osv": Path("/nowhere.zip")},
        {"osv": None, "ask_online": True, "service": "http://127.0.0.1:9"},
    ],
)
def test_without_knowledge_nobody_says_that_all_is_well(options: dict[str, Any], judge: Judge) -> None:
    found = judge("vulnerable-packages", **options)
    assert [one.state for one in found] == ["unknown"]
    assert found[0].open
    assert "--osv" in found[0].fix[0]
    assert [one.state for one in judge("advisories-fresh", **options)] == ["not-applicable"]


def test_a_copy_and_the_service_are_one_too_many(repository: Path, copy: Path) -> None:
    with pytest.raises(ConfigError, match="give one"):
        look(repository, now=NOW, osv=copy, ask_online=True)


@pytest.mark.parametrize(
    ("day", "profile", "state"),
    [
        ("2026-11-23", "high", "passed"),
        ("2026-11-24", "high", "failed"),
        ("2026-11-24", "standard", "passed"),
        ("2026-12-05", "standard", "failed"),
        ("2026-12-05", "low", "passed"),
        ("2026-11-20", "low", "passed"),  # an hour early: a day of grace
        ("2026-11-10", "low", "failed"),  # from the future: the clock or the copy is wrong
    ],
)
def test_the_copy_s_age(day: str, profile: Profile, state: str, judge: Judge) -> None:
    found = judge("advisories-fresh", profile, now=datetime.fromisoformat(f"{day}T07:00:00+00:00"))
    assert [one.state for one in found] == [state]
    assert found[0].figures["digest"].startswith("sha256:")


def test_what_is_not_pinned(judge: Judge, repository: Path) -> None:
    (repository / "requirements.txt").write_text("torch>=2.6\nnumpy==2.4.6\n")
    found = judge("pinned")
    assert [(one.state, one.figures["unpinned"]) for one in found] == [("failed", ["torch"])]
    assert judge("pinned", "high")[0].figures["without_hash"] == ["torch", "numpy"]


def test_a_project_without_a_lock_file(judge: Judge, repository: Path) -> None:
    (repository / "requirements.txt").unlink()
    assert [one.state for one in judge("pinned")] == ["not-applicable"]
    (repository / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["torch"]\n')
    assert [one.state for one in judge("pinned")] == ["failed"]


def test_a_lock_file_that_cannot_be_read_is_not_left_out(judge: Judge, repository: Path) -> None:
    (repository / "uv.lock").write_text("[[package")
    assert [one.state for one in judge("pinned")] == ["unknown", "passed"]


def test_each_fault_of_the_machine_is_a_finding(judge: Judge) -> None:
    found = judge(
        "hardening", interpreter=Interpreter(version=(3, 8), optimize=1, path=(), environment={}, uid=1)
    )
    assert {("python", "high"), ("assertions", "medium")} <= {(one.subject.name, one.severity) for one in found}


def test_rights_and_secrets(judge: Judge, repository: Path) -> None:
    (repository / "server.key").write_text("-----BEGIN PRIVATE KEY-----\n")
    (repository / "server.key").chmod(0o644)
    (repository / "train.py").chmod(0o666)
    (repository / "out").symlink_to("/etc/passwd")
    found = judge("file-rights")
    assert [one.state for one in found] == ["failed"] * 3
    assert [one.fix for one in found] == [("chmod 600 server.key",), ("chmod go-w train.py",), ()]
    secrets = judge("secrets-in-files")
    assert [(one.state, one.figures) for one in secrets] == [("failed", {"file": "server.key", "lines": [1]})]


def test_what_nobody_looked_at_is_no_all_clear(repository: Path, copy: Path) -> None:
    facts = look(repository, now=NOW, osv=copy, own=OWN, interpreter=GOOD)
    assert facts.files is not None
    partly = type(facts)(**{**vars(facts), "files": type(facts.files)(1, (), beyond=1)})
    assert [one.state for one in on(partly, "secrets-in-files")] == ["unknown"]
    assert [one.state for one in on(partly, "file-rights")] == ["unknown"]


def test_the_same_fault_keeps_its_digest_so_that_a_waiver_finds_it(judge: Judge, repository: Path) -> None:
    (repository / "requirements.txt").write_text("torch==2.5.1\n")
    first, again = judge("vulnerable-packages"), judge("vulnerable-packages")
    assert [one.subject for one in first] == [one.subject for one in again]
    (repository / "requirements.txt").write_text("torch==2.5.0\n")
    assert judge("vulnerable-packages")[0].subject.digest != first[0].subject.digest
