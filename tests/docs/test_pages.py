"""Tutorials and training pages do what they say: each is carried out in an empty folder, as by its reader."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from carried_out import ROOT, Step, carried_out, masked, missing, steps, updated
from carried_out import Done as Printed

from hauberk.learn import EXERCISES

TUTORIALS = ["engineer", "security", "operator", "steward"]
QUICK = ["training/index", "training/fool"]
SLOW = [
    *(f"tutorials/{one}" for one in TUTORIALS),
    *(f"training/{one}" for one in EXERCISES if f"training/{one}" not in QUICK),
]
NEEDS = {
    "tutorials/security": ("model_signing", "fickling"),
    "tutorials/operator": ("uvicorn", "orjson"),
    "tutorials/steward": ("opendp", "sqlglot", "dp_accounting"),
    "training/watch": ("uvicorn", "orjson"),
}
TOOLS = {"tutorials/security": "openssl", "tutorials/operator": "curl"}


def text(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(one, marks=pytest.mark.slow) for one in SLOW)])
def test_a_page_does_what_it_says(name: str, tmp_path: Path, absent: Callable[[str, str], None]) -> None:
    for part in NEEDS.get(name, ()):
        if find_spec(part) is None:
            absent(part, "pip install 'hauberk[test]'")
    tool = TOOLS.get(name)
    if tool is not None and shutil.which(tool) is None:
        absent(tool, f"apt-get install {tool}")
    page = list(steps(text(name)))
    assert page
    done = carried_out(page, tmp_path, timeout_s=420)
    assert len(done) == len(page), f"the shell ended at: {page[len(done)].code}"
    for number, (step, result) in enumerate(zip(page, done, strict=True)):
        lacking = missing(step.shown, result.printed)
        assert lacking is None, f"{step.code}\nshould print: {lacking}\nprinted: {'; '.join(result.printed)}"
        asked = number + 1 < len(page) and page[number + 1].code == "echo $?"
        if not asked and not any(word in step.code for word in ("access check", "access explain")):
            assert result.code == 0, f"{step.code}\n{'; '.join(result.printed)}"


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_translation_has_the_same_code(name: str) -> None:
    english, chinese = (list(steps(text(f"tutorials/{name}{suffix}"))) for suffix in ("", ".zh"))
    assert english == chinese
    headings = [
        re.findall(r"^#+ ", re.sub(r"```.*?```", "", text(f"tutorials/{name}{suffix}"), flags=re.DOTALL), re.M)
        for suffix in ("", ".zh")
    ]
    assert headings[0] == headings[1]


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_has_a_page(name: str) -> None:
    assert f"$ hauberk learn {name} --yes\n" in text(f"training/{name}")
    assert f"({name}.md)" in text("training/index")


def test_commands_their_output_and_python_are_told_apart() -> None:
    page = (
        "```console\n$ one \\\n    two\nsaid\n$ cat <<'END'\n> in\n> END\n```\n"
        "```python\nprint(1)\n```\n```toml\n$ no\n```\n"
    )
    assert list(steps(page)) == [
        Step("console", "one \\\n    two", ("said",)),
        Step("console", "cat <<'END'\nin\nEND", ()),
        Step("python", "print(1)\n", ()),
    ]


def test_a_page_is_carried_out_in_one_shell(tmp_path: Path) -> None:
    page = "```console\n$ name=here\n$ false\n$ echo $? $name\n1 here\n```\n```python\nprint('4 apples')\n```\n"
    done = carried_out(list(steps(page)), tmp_path)
    assert [one.code for one in done] == [0, 1, 0, 0]
    assert done[2].printed == ("1 here",)
    assert done[3].printed == ("4 apples",)


def test_what_is_missing_is_noticed() -> None:
    printed = ("training …", "models/a: 98.59% right", "digest: sha256:" + 64 * "a", "fine")
    assert missing(("models/a: 97.1% right", "digest: sha256:" + 64 * "b", "fine"), printed) is None
    assert missing(("models/b: 97.1% right",), printed) == "models/b: 97.1% right"
    assert missing(("fine", "models/a: 98.59% right"), printed) == "models/a: 98.59% right"
    assert masked("pgd    350   81  19.4%") == masked("pgd 3 81 9%")


def test_an_update_writes_what_was_printed() -> None:
    page = "```console\n$ one\nold\n$ two\n```\n"
    done = [Printed(("training …", "new"), 0), Printed(("evidence: here", "last"), 0)]
    assert updated(page, done) == "```console\n$ one\nnew\n$ two\nlast\n```\n"
