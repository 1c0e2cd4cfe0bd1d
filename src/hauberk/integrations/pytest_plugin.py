"""The pytest plug-in: keeps the evidence of ``hauberk.testing`` assertions and sums them up at the end.

pytest loads it in every project of an environment that has Hauberk. Whoever does not use it pays for this file
alone: nothing else of Hauberk is imported before a test imports it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

_PROPERTY = "hauberk"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("hauberk").addoption(
        "--hauberk-evidence",
        metavar="DIR",
        default=None,
        help="keep the evidence of every assert_robust in this folder",
    )


def pytest_configure(config: pytest.Config) -> None:
    folder = config.getoption("hauberk_evidence")
    if folder is not None:
        from hauberk import testing

        testing.keep_in = config.invocation_params.dir / folder


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.getoption("hauberk_evidence") is not None:
        from hauberk import testing

        testing.keep_in = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Notes travel as the report's properties: from xdist's workers to the summary, and into JUnit files."""
    testing = sys.modules.get("hauberk.testing")
    if testing is not None and testing.checked:
        notes = [(_PROPERTY, json.dumps(one.to_json(), ensure_ascii=False)) for one in testing.checked]
        item.user_properties.extend(notes)
        testing.checked.clear()
    return (yield)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, ())]
    lines = [
        _line(report.nodeid, json.loads(value))
        for report in reports
        if report.when == "call"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]
    if lines:
        terminalreporter.section("worst cases")
        for line in lines:
            terminalreporter.write_line(line)


def _line(test: str, note: dict[str, Any]) -> str:
    low, high = note["interval"]
    sign = ">=" if note["passed"] else "not"
    flags = f"  {' '.join(note['flags'])}" if note["flags"] else ""
    return (
        f"{note['worst_case']:6.1%} [{low:.1%}, {high:.1%}] {sign} {note['at_least']:.1%}  {test}  "
        f"{note['model']}, {note['threat']}, {note['samples']} samples{flags}  {note['evidence'][:19]}"
    )


@pytest.fixture
def assert_robust() -> Callable[..., Any]:
    """``hauberk.testing.assert_robust``, for tests that import nothing."""
    from hauberk.testing import assert_robust as function

    return function


@pytest.fixture
def hauberk_evidence(request: pytest.FixtureRequest) -> Path | None:
    """The folder of ``--hauberk-evidence``, or None."""
    folder = request.config.getoption("hauberk_evidence")
    return None if folder is None else request.config.invocation_params.dir / folder
