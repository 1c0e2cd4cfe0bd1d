"""hauberk data query by transcript."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hauberk.cli.app import run
from hauberk.core.evidence import load_folder

Call = Callable[..., tuple[int, str, str]]
DECLARED = (
    "--bounds",
    "age=0:110",
    "--values",
    "region=north,south,west",
    "--missing",
    "age=40",
    "--open",
    "job",
)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def made(*arguments: object) -> tuple[int, str, str]:
        code = run(["data", "query", *(str(one) for one in arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return made


def test_a_budget_from_beginning_to_end(call: Call, people: Path) -> None:
    code, out, _err = call("init", people, "--budget", 2, "--unit", "who", "--most-rows", 2, *DECLARED)
    assert (code, "epsilon 2, for all rows of one who, at most 2" in out) == (0, True)
    question = "SELECT region, COUNT(*) FROM data GROUP BY region"
    code, out, _err = call(people, question, "--epsilon", 0.5, "--as", "ann", "--json")
    found = json.loads(out)
    assert (code, found["left"], found["again"]) == (0, {"epsilon": 1.5}, False)
    assert [row["keys"]["region"] for row in found["rows"]] == ["north", "south", "west"]
    code, out, _err = call(people, question, "--epsilon", 0.5, "--as", "ann")
    assert "spent nothing (asked before)" in out
    assert str(found["rows"][0]["values"]["COUNT(*)"]["value"]) in out
    code, _out, err = call(people, "SELECT AVG(age) FROM data", "--epsilon", 1.6, "--as", "ann")
    assert (code, "nothing was spent" in err) == (1, True)
    code, out, _err = call("status", people, "--json")
    assert json.loads(out)["left"] == {"epsilon": 1.5}
    assert json.loads(out)["askers"] == {"ann": {"epsilon": 0.5}}
    assert call("status", people)[0] == 0
    records = [one for one in load_folder(people.parent / "evidence")]
    assert {one.parameters["step"] for one in records} == {"register", "ask"}
    first = next(one for one in records if one.parameters["step"] == "register")
    assert all(one.parents == (first.digest,) for one in records if one is not first)


def test_a_description_in_a_file(call: Call, people: Path) -> None:
    path = people.with_suffix(".toml")
    path.write_text(
        'budget = 1.0\naccounting = "zcdp"\ndelta = 1e-6\n'
        "[askers]\nann = 0.01\n[columns.age]\nbounds = [0, 110]\n"
    )
    assert call("init", people, "--description", path, "--bounds", "age=0:1")[0] == 2
    assert call("init", people, "--description", path)[0] == 0
    code, out, _err = call(people, "SELECT MEDIAN(age) FROM data", "--rho", 0.01, "--as", "ann")
    assert (code, "ann has rho 0 left" in out) == (0, True)
    assert call(people, "SELECT MEDIAN(age) FROM data", "--rho", 0.01, "--as", "bob")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--epsilon", 0), "epsilon is a number"),
        (("--epsilon", -3), "epsilon is a number"),
        (("--epsilon", "nan"), "epsilon is a number"),
        (("--epsilon", "many"), "not a valid float"),
        (("--rho", 0.1), "counts epsilon"),
        ((), "needs its epsilon"),
    ],
)
def test_absurd_prices_are_wrong_use(
    arguments: tuple[object, ...], message: str, call: Call, people: Path
) -> None:
    assert call("init", people, "--budget", 1, *DECLARED)[0] == 0
    code, _out, err = call(people, "SELECT COUNT(*) FROM data", *arguments, "--as", "ann")
    assert (code, message in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (DECLARED, "needs a budget"),
        (("--budget", 1), "no column"),
        (("--budget", 1, "--bounds", "age=0"), "COL=LOW:HIGH"),
        (("--budget", 1, "--bounds", "age=0:x"), "not a number"),
        (("--budget", 1, "--bounds", "agee=0:1"), "did you mean 'age'"),
        (("--budget", 1, "--bounds", "age=0:1", "--open", "age"), "twice"),
        (("--budget", 1, "--bounds", "age=0:1", "--missing", "agge=1"), "did you mean 'age'"),
        (("--budget", 1, "--unit", "age", *DECLARED), "names people"),
        (("--budget", 1, "--most-rows", 2, *DECLARED), "a unit that is a person"),
        (("--budget", 0, *DECLARED), "a budget is an epsilon"),
        (("--budget", 1, "--asker", "ann", *DECLARED), "--asker takes"),
        (("--budget", 1, "--asker", "ann=-1", *DECLARED), "above 0"),
    ],
)
def test_declarations_that_cannot_be_are_wrong_use(
    arguments: tuple[object, ...], message: str, call: Call, people: Path
) -> None:
    code, _out, err = call("init", people, *arguments)
    assert (code, message in err) == (2, True), err
    assert not Path(f"{people}.budget").exists()


def test_without_a_budget_nothing_is_answered(call: Call, people: Path) -> None:
    code, _out, err = call(people, "SELECT COUNT(*) FROM data", "--epsilon", 1, "--as", "ann")
    assert (code, "no budgets at" in err) == (2, True)
    assert call("--epsilon", 1, people)[0] == 2


def test_asking_starts_without_torch(call: Call, people: Path) -> None:
    assert call("init", people, "--budget", 1, *DECLARED)[0] == 0
    words = ["data", "query", str(people), "SELECT COUNT(*) FROM data", "--epsilon", "1", "--as", "ann"]
    code = f"import sys; from hauberk.cli.app import run; run({words!r}); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.stdout.splitlines()[-1] == "False", said.stderr
