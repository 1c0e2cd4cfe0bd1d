"""The dashboard asks for metrics that there are, by labels that they have, and so does the documentation."""

from __future__ import annotations

import json
import re
from pathlib import Path

from model_servers import Server
from prometheus_client.parser import text_string_to_metric_families

DOCS = Path(__file__).parents[2] / "docs"


def shown(server: Server) -> set[str]:
    text = server.ask("GET", "/metrics")[2].decode()
    return {
        name
        for family in text_string_to_metric_families(text)
        for name in (family.name, *(one.name for one in family.samples), f"{family.name}_total")
        if name.startswith("hauberk_")
    } | {f"hauberk_request_seconds_{part}" for part in ("bucket", "sum", "count")}


def test_the_dashboard_asks_for_what_there_is(server: Server) -> None:
    panels = json.loads((DOCS / "grafana" / "hauberk.json").read_text())["panels"]
    asked = {
        name
        for one in panels
        for target in one["targets"]
        for name in re.findall(r"hauberk_\w+", target["expr"])
    }
    assert len(asked) > 8
    assert asked <= shown(server) | {"hauberk_batch_images_sum", "hauberk_batch_images_count"}


def test_the_documentation_lists_every_metric(server: Server) -> None:
    text = (DOCS / "serving.md").read_text()
    families = {
        family.name
        for family in text_string_to_metric_families(server.ask("GET", "/metrics")[2].decode())
        if family.name.startswith("hauberk_") and not family.name.endswith("_created")
    }
    assert families
    for name in families:
        assert f"`{name}" in text, name
