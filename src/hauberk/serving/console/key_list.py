"""All API keys, by the part of each that is no secret."""

from __future__ import annotations

from dataclasses import dataclass

from hauberk.access import key_store
from hauberk.serving.console.pages import Asked, Page
from hauberk.serving.console.person import Key
from hauberk.serving.console.viewer import Viewer


@dataclass(frozen=True)
class Keys:
    """Those that are good first, the newest of them first.

    Args:
        gone: how many are left out, since they are worth nothing; ``all`` shows them too.
    """

    keys: tuple[Key, ...]
    gone: int
    all: bool


def _view(viewer: Viewer, asked: Asked) -> Keys:
    present = viewer.now_ms
    found = [Key(one, one.refusal(present)) for one in reversed(key_store.listed(viewer.vault.database))]
    good = [one for one in found if one.refusal is None]
    gone = [one for one in found if one.refusal is not None]
    everything = asked.query["all"] == "1"
    return Keys(tuple(good + gone if everything else good), len(gone), everything)


PAGE = Page(
    name="key_list",
    path="/access/keys",
    view=_view,
    action="access.view",
    under="access",
    detail=lambda _asked: "list keys",
)
