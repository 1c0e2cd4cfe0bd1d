"""Exported lines are events of OCSF: what its schema requires is there, with values that it knows."""

from __future__ import annotations

import json

import pytest

from hauberk.access.trail.line import Line
from hauberk.access.trail.ocsf import event
from hauberk.access.words import ACTIONS

LINE = Line(7, 1_800_000_000_000, "r-1", "ada", "key 0Ab", "192.0.2.1", "model.pull", "face", "3 production",
            "for the release", True, "grant 1: trainer 2")  # fmt: skip

# from OCSF 1.3.0: what each class requires, and the values of its activities
REQUIRED = {
    6003: {"activity_id", "actor", "api", "category_uid", "class_uid", "metadata", "severity_id",
           "src_endpoint", "time", "type_uid"},
    3002: {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid", "user"},
    2004: {"activity_id", "category_uid", "class_uid", "finding_info", "metadata", "severity_id", "time",
           "type_uid"},
}  # fmt: skip
ACTIVITIES = {6003: {0, 1, 2, 3, 4, 99}, 3002: {0, 1, 2, 3, 4, 5, 6, 99}, 2004: {0, 1, 2, 3, 99}}
CLASSES = {"enter": 3002, "alert": 2004}


@pytest.mark.parametrize("action", [*ACTIONS, "enter", "alert"])
@pytest.mark.parametrize("allowed", [True, False])
def test_each_line_is_an_event_that_the_schema_knows(action: str, allowed: bool) -> None:
    found = json.loads(json.dumps(event(LINE._replace(action=action, allowed=allowed))))
    uid = found["class_uid"]
    assert uid == CLASSES.get(action, 6003)
    assert found["category_uid"] == uid // 1000
    assert REQUIRED[uid] <= found.keys()
    assert found["activity_id"] in ACTIVITIES[uid]
    assert found["type_uid"] == uid * 100 + found["activity_id"]
    assert found["action_id"] == (1 if allowed else 2)
    assert found["status_id"] == (1 if allowed or action == "alert" else 2)  # of a finding: new
    assert {"version", "product"} <= found["metadata"].keys()
    assert found["time"] == LINE.time_ms


def test_nothing_of_a_line_is_lost() -> None:
    found = event(LINE)
    assert found["actor"]["user"]["name"] == "ada"
    assert found["api"] == {"operation": "model.pull", "request": {"uid": "r-1"}}
    assert found["resources"] == [{"name": "face", "type": "model", "version": "3 production"}]
    assert found["src_endpoint"] == {"ip": "192.0.2.1"}
    assert found["status_detail"] == "grant 1: trainer 2"
    assert found["metadata"]["uid"] == "7"
    assert found["unmapped"] == {"recognised_by": "key 0Ab", "detail": "for the release"}
    nobody = event(LINE._replace(who="", action="enter", source="", model="", version=""))
    assert nobody["user"] == {"name": "unknown"}
    assert nobody["src_endpoint"] == {"name": "local"}
