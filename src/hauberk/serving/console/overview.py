"""The first page: what needs attention, and how things stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hauberk.serving.console import trail
from hauberk.serving.console.bars import Bars
from hauberk.serving.console.pages import Asked, Concern, Page
from hauberk.serving.console.viewer import Viewer

_ORDER = ("bad", "warn", "note")


@dataclass(frozen=True)
class Overview:
    """Args:
    concerns: the worst first.
    served: how many versions this server answers with.
    signed_in: how many people are, where the viewer may know.
    activity: answers of the last day, where he may know.
    """

    concerns: Sequence[Concern]
    served: int
    signed_in: int | None
    activity: Bars | None


def _view(viewer: Viewer, _asked: Asked) -> Overview:
    from hauberk.serving.console.registry import PAGES

    found = [
        concern
        for page in PAGES
        if page.concerns is not None and (page.action is None or viewer.may(page.action))
        for concern in page.concerns(viewer)
    ]
    return Overview(
        tuple(sorted(found, key=lambda one: _ORDER.index(one.weight))),
        sum(
            one.revoked is None
            for versions in viewer.server.rack.models().values()
            for one in versions.values()
        ),
        viewer.inside.sessions.people() if viewer.may("access.view") else None,
        trail.activity(viewer) if viewer.may("audit.read") else None,
    )


PAGE = Page(name="overview", path="/", view=_view)
