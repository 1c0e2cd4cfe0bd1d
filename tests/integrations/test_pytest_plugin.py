"""assert_robust agrees with the evaluation, fails with the facts, and costs nothing where nobody uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

import hauberk
from hauberk import testing
from hauberk.attacks import FGSM
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.testing import NotRobust, assert_robust

ROOT = Path(__file__).parent.parent.parent
PLUGIN = "hauberk.integrations.pytest_plugin"
SAMPLES = 24

TESTS = """
import hauberk
from hauberk.testing import assert_robust

def test_weak(package):
    assert_robust(package, "digits", hauberk.Linf(0.2), at_least=0.9, samples=24)

def test_easy(assert_robust, package, hauberk_evidence):
    found = assert_robust(package, "digits", hauberk.Linf(0.001), at_least=0.5, samples=24)
    assert found.samples == 24
    assert hauberk_evidence is None or list(hauberk_evidence.glob("evaluation-*.json"))

def test_other():
    pass
"""


@pytest.fixture(autouse=True)
def nobody_else_takes_note() -> None:
    testing.checked.clear()


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", *options],
        capture_output=True, text=True, timeout=180, cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": path, "PYTEST_ADDOPTS": ""},
    )  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, plain_package: Path) -> Path:
    (tmp_path / "conftest.py").write_text(
        f"import pytest\n\n@pytest.fixture\ndef package():\n    return {str(plain_package)!r}\n"
    )
    (tmp_path / "test_release.py").write_text(TESTS)
    return tmp_path


def test_the_figure_is_the_evaluations(plain: Classifier, digits: Dataset) -> None:
    few = digits.head(SAMPLES)
    truth = hauberk.evaluate(plain, few.images, few.labels, hauberk.Linf(0.05), dataset=few)
    share = truth.robust_accuracy
    assert 0 < share < 1  # so that both sides of it can be asked for
    found = assert_robust(plain, few, hauberk.Linf(0.05), at_least=share)
    assert found.verdicts == truth.verdicts
    with pytest.raises(NotRobust) as caught:
        assert_robust(plain, few, hauberk.Linf(0.05), at_least=share + 1e-6)
    assert caught.value.evaluation.verdicts == truth.verdicts


def test_surely_asks_the_lower_end_of_the_interval(plain: Classifier, digits: Dataset) -> None:
    low = assert_robust(plain, digits, hauberk.Linf(0.001), samples=SAMPLES, at_least=0).robust_interval[0]
    assert_robust(plain, digits, hauberk.Linf(0.001), samples=SAMPLES, at_least=low, surely=True)
    with pytest.raises(NotRobust, match="lower end"):
        assert_robust(plain, digits, hauberk.Linf(0.001), samples=SAMPLES, at_least=low + 0.01, surely=True)


def test_data_may_be_two_tensors(plain: Classifier, digits: Dataset) -> None:
    few = digits.head(8)
    named = assert_robust(plain, few, hauberk.Linf(0.05), at_least=0, attacks=[FGSM()])
    bare = assert_robust(plain, (few.images, few.labels), hauberk.Linf(0.05), at_least=0, attacks=[FGSM()])
    assert named.verdicts == bare.verdicts


def test_the_message_holds_the_facts(
    plain_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testing, "keep_in", tmp_path)
    with pytest.raises(NotRobust) as caught:
        assert_robust(plain_package, "digits", hauberk.Linf(0.2), at_least=0.9, samples=SAMPLES)
    said, found = str(caught.value), caught.value.evaluation
    low, high = found.robust_interval
    worst = max(found.attacks, key=lambda row: row.broke)
    (kept,) = tmp_path.glob("*.json")
    for fact in (
        f"[{low:.1%}, {high:.1%}]", "required 90.0%", f"{SAMPLES} samples", "linf 0.2",
        f"{worst.name} broke {worst.broke} of {worst.attacked}", found.evidence.digest, str(kept), "plain",
    ):  # fmt: skip
        assert fact in said
    assert Evidence.load(kept).digest == found.evidence.digest


@pytest.mark.parametrize("share", [1.2, -0.1, float("nan"), True, "0.6"])
def test_a_wrong_share_is_no_verdict(plain: Classifier, digits: Dataset, share: object) -> None:
    with pytest.raises(ConfigError, match="at_least"):
        assert_robust(plain, digits, hauberk.Linf(0.1), at_least=share)  # type: ignore[arg-type]


def test_wrong_data_is_no_verdict(plain: Classifier) -> None:
    with pytest.raises(DataError, match="data is a Dataset"):
        assert_robust(plain, 3, hauberk.Linf(0.1))  # type: ignore[arg-type]


def test_a_suite_fails_keeps_evidence_and_sums_up(project: Path) -> None:
    said = run_pytest(project, "--hauberk-evidence", "kept", "--junit-xml", "junit.xml")
    assert said.returncode == 1, said.stdout + said.stderr
    assert "1 failed, 2 passed" in said.stdout
    files = sorted((project / "kept").glob("*.json"))
    assert len(files) == 2
    digests = {Evidence.load(one).digest for one in files}
    summary = said.stdout.split("worst cases")[1]
    assert all(digest[:19] in summary for digest in digests)
    assert "not 90.0%  test_release.py::test_weak" in summary
    assert ">= 50.0%  test_release.py::test_easy" in summary
    properties = [
        json.loads(one.attrib["value"]) for one in ElementTree.parse(project / "junit.xml").iter("property")
    ]
    assert {one["evidence"] for one in properties} == digests
    assert [one["passed"] for one in properties] == [False, True]


def test_a_suite_without_it_says_and_loads_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n"
        "    ours = [one for one in sys.modules if one.split('.')[0] in ('hauberk', 'torch', 'numpy')]\n"
        f"    assert sorted(ours) == ['hauberk', 'hauberk.integrations', {PLUGIN!r}]\n"
    )
    said = run_pytest(tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "worst cases" not in said.stdout


def test_loading_the_plugin_takes_milliseconds() -> None:
    code = (
        f"import pytest, time; start = time.perf_counter()\nimport {PLUGIN}\nprint(time.perf_counter() - start)"
    )
    taken = []
    for _ in range(3):
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        taken.append(float(said.stdout))
    assert min(taken) < 0.05


def test_the_entry_point_names_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"hauberk": PLUGIN}
