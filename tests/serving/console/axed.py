"""What axe-core finds on a page."""

from __future__ import annotations

from typing import Any


def found_by_axe(page: Any) -> list[str]:
    """Everything moderate or worse, in words."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("moderate", "serious", "critical")
        for node in one["nodes"]
    ]
