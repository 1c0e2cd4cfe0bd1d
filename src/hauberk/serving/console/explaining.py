"""May somebody do something, and which rules say so."""

from __future__ import annotations

from dataclasses import dataclass

from hauberk.access import identities, key_store
from hauberk.access.deciding import Question
from hauberk.access.explaining import Explanation, explain
from hauberk.access.words import ACTIONS
from hauberk.core.errors import ConfigError, HauberkError
from hauberk.serving.console.pages import Asked, Page
from hauberk.serving.console.viewer import Viewer


@dataclass(frozen=True)
class Explained:
    """Args:
    answer: None where nothing was asked yet, or what was asked cannot be; ``trouble`` says why.
    """

    names: tuple[str, ...]
    actions: tuple[str, ...]
    answer: Explanation | None
    trouble: HauberkError | None


def _view(viewer: Viewer, asked: Asked) -> Explained:
    query, database = asked.query, viewer.vault.database
    names = tuple(one.name for one in identities.everybody(database))
    answer, trouble = None, None
    if query["name"]:
        versions = tuple(query["version"].split())
        question = Question(query["action"], query["model"], versions)
        key = query["key"] or None
        try:
            if key is not None and all(one.id != key for one in key_store.listed(database, query["name"])):
                raise ConfigError(f"'{query['name']}' has no such key")
            answer = explain(database, query["name"], question, key=key, clock=viewer.vault.clock)
        except ConfigError as error:
            trouble = error
    return Explained(names, ACTIONS, answer, trouble)


def _said(asked: Asked) -> str:
    query = asked.query
    at = f"@{query['version']}" if query["version"] else ""
    return " ".join(f"explain {query['name']} {query['action']} {query['model']}{at}".split())


PAGE = Page(
    name="explain",
    path="/access/explain",
    view=_view,
    action="access.view",
    under="access",
    detail=_said,
)
