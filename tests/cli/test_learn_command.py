"""``hauberk learn``: lists, asks in a terminal, asks nobody in a script, keeps what was done when told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from transcripts import Call

from hauberk.learn import EXERCISES


def test_it_lists_what_there_is(hauberk_command: Call) -> None:
    code, out, _ = hauberk_command("learn")
    assert code == 0
    assert all(f"  {name} " in out for name in EXERCISES)
    _, chinese, _ = hauberk_command("learn", "--lang", "zh")
    assert "抓住内鬼" not in out
    assert "查出是谁" in chinese
    assert json.loads(hauberk_command("learn", "--json").out) == {"exercises": list(EXERCISES), "done": []}


def test_it_runs_without_asking(hauberk_command: Call) -> None:
    code, out, err = hauberk_command(
        "learn", "fool", "--yes", "--answer", "radius=0.3", "--answer", "guess=100"
    )
    assert code == 0, err
    assert "by at most 0.3" in out
    assert "well judged" in out
    assert "Next: hauberk learn harden" in out
    code, out, _ = hauberk_command("learn", "catch", "--lang", "zh", "--answer", "thief=west")
    assert code == 0
    assert "指认：west" in out


def test_json_has_answers_and_figures(hauberk_command: Call) -> None:
    told = json.loads(hauberk_command("learn", "leak", "--json", "--answer", "guess=100", "--seed", 3).out)
    assert told["answers"] == {"people": 100, "guess": 100}
    assert told["seed"] == 3
    assert told["guess"]["truth"] == told["figures"]["told"]


def test_in_a_terminal_it_asks_until_it_gets_an_answer(
    hauberk_command: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["9", "0.01", "0"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _text: next(typed))
    code, out, err = hauberk_command("learn", "fool")
    assert code == 0, err
    assert "from 0.01 to 0.5, got '9'" in out + err
    assert "at most 0.01" in out


def test_what_was_done_is_kept_only_when_told(hauberk_command: Call) -> None:
    folder = Path(os.environ["HAUBERK_CONFIG"])
    hauberk_command("learn", "fool", "--yes")
    assert not folder.exists()
    code, _, err = hauberk_command("learn", "fool", "--yes", "--keep")
    assert code == 0
    file = folder / "learnt.json"
    assert str(file) in err
    assert file.stat().st_mode & 0o077 == 0
    assert "[done]" in hauberk_command("learn").out
    file.write_text("{")
    code, _, err = hauberk_command("learn")
    assert code == 2
    assert "not a record of exercises" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("fol",), "did you mean 'fool'"),
        (("fool", "--answer", "radius"), "takes KEY=VALUE"),
        (("fool", "--answer", "radius=1"), "from 0.01 to 0.5"),
        (("fool", "--answer", "radius=0.1", "--answer", "radius=0.2"), "answered twice"),
        (("fool", "--answer", "speed=1"), "unknown question 'speed'"),
        (("--answer", "radius=0.1"), "name the exercise"),
        (("--keep",), "name the exercise"),
    ],
)
def test_wrong_calls(hauberk_command: Call, words: tuple[str, ...], says: str) -> None:
    code, out, err = hauberk_command("learn", *words)
    assert code == 2
    assert says in err
    assert out == ""


def test_the_list_starts_without_torch() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sys\nfrom hauberk.cli.app import run\nrun(['learn'])\n"
         "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
