"""The first page: what needs attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hauberk.serving.console.pages import Asked, Concern, Page
from hauberk.serving.console.viewer import Viewer

_ORDER = ("bad", "warn", "note")


@dataclass(frozen=True)
class Overview:
    """Args:
    concerns: the worst first.
    """

    concerns: Sequence[Concern]


def _view(viewer: Viewer, asked: Asked) -> Overview:
    from hauberk.serving.console.registry import PAGES

    found = [
        concern
        for page in PAGES
        if page.concerns is not None and (page.action is None or viewer.may(page.action))
        for concern in page.concerns(viewer)
    ]
    return Overview(tuple(sorted(found, key=lambda one: _ORDER.index(one.weight))))


PAGE = Page(name="overview", path="/", view=_view)
