"""The guard of a vault's servers: on unless told otherwise, shared by workers, kept over restarts, forgiven."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from served_vaults import House, ask, house_with, statuses
from test_serve_command import WAIT_S, command, eventually, get
from transcripts import Call

POLICY = """
[guard]
queries = 20
budget = "block"
patience = 1
"""


def alerts_counted(url: str, house: House, key: str) -> float:
    text = get(f"{url}/metrics", headers={"Authorization": f"Bearer {key}"})
    lines = [one for one in text.splitlines() if one.startswith("hauberk_guard_alerts_total")]
    return sum(float(one.split()[-1]) for one in lines)


def test_a_caller_over_his_budget_is_blocked_everywhere_until_it_is_lifted(
    hauberk_command: Call, tmp_path: Path, plain_package: Path
) -> None:
    house = house_with(hauberk_command, tmp_path, plain_package)
    greedy, modest = house.caller("greedy", "predictor"), house.caller("modest", "predictor", "auditor")
    (tmp_path / "guard.toml").write_text(POLICY)
    words = (*house.owner, "--models", "digits", "--guard", tmp_path / "guard.toml")
    assert house.done("guard", "alerts") == house.done("guard", "held") == ""
    with command(tmp_path, *words, "--workers", 2) as (process, url):
        eventually(lambda: statuses(url, greedy, 12) == [403] * 12)  # the other worker has heard of it too
        status, problem = ask(url, greedy)
        assert (status, problem["type"]) == (403, "urn:hauberk:problem:blocked")
        assert statuses(url, modest, 3) == [200] * 3
        assert alerts_counted(url, house, modest) >= 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    log = (tmp_path / "log").read_text()
    assert "guard-alert" in log
    assert "greedy" not in log
    found = json.loads(house.done("guard", "alerts", "--json"))["alerts"]
    told = {key: found[-1][key] for key in ("caller", "name", "finding", "action", "reason")}
    assert told == {"caller": "greedy", "name": "digits", "finding": "budget", "action": "block",
                    "reason": "more than 20 questions"}  # fmt: skip
    line = json.loads(house.done("access", "log", "--action", "alert", "--json"))["lines"][0]
    assert (line["who"], line["how"], line["model"], line["detail"]) == ("greedy", "guard", "digits", "block")
    assert (line["allowed"], line["why"]) == (False, "budget: more than 20 questions")
    held = json.loads(house.done("guard", "held", "--json"))["held"]
    assert [(one["caller"], one["action"]) for one in held] == [("greedy", "block")]

    with command(tmp_path, *words) as (_process, url):
        assert ask(url, greedy)[0] == 403  # remembered
        assert "lifted" in house.done("guard", "lift", "greedy")
        eventually(lambda: ask(url, greedy)[0] == 200)
    assert json.loads(house.done("guard", "held", "--json")) == {"held": []}
    assert "lift what the guard holds against greedy" in house.done(
        "access", "log", "--action", "access.manage"
    )


def test_only_those_who_may_see_and_lift(hauberk_command: Call, tmp_path: Path, plain_package: Path) -> None:
    house = house_with(hauberk_command, tmp_path, plain_package)
    house.caller("ward", "predictor")
    key = ("--vault", house.path, "--api-key-file", tmp_path / "ward.key")
    for words in (("alerts",), ("held",), ("lift", "ward")):
        said = hauberk_command("guard", *words, *key)
        assert said.code == 1, said.err
        assert "refused" in said.err
    assert hauberk_command("guard", "lift", "No Name", *house.owner).code == 2
