"""The pages of models: the list, one model, one version; and what is done there: promote, agree, revoke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from hauberk.core.errors import DataError
from hauberk.ledger.proving import prove_inclusion
from hauberk.reports.figures import query_charts, radius_charts
from hauberk.reports.summary import summarize
from hauberk.reports.words import Words as ReportWords
from hauberk.serving.console.drawing import Drawn, all_drawn
from hauberk.serving.console.files import download
from hauberk.serving.console.models import ModelView, Row, charts, model, models, seen
from hauberk.serving.console.pages import Act, Asked, Concern, Done, Form, Missing, Page
from hauberk.serving.console.versions import VersionView, version
from hauberk.serving.console.viewer import Viewer
from hauberk.serving.console.wishes import wishes
from hauberk.vault.names import PRODUCTION
from hauberk.vault.promoting import promote
from hauberk.vault.revoking import revoke


@dataclass(frozen=True)
class Models:
    """The list of models."""

    rows: tuple[Row, ...]


@dataclass(frozen=True)
class OneModel:
    """Args:
    agrees: numbers and aliases of requests to which the viewer may agree.
    """

    model: ModelView
    charts: tuple[Drawn, ...]
    agrees: frozenset[tuple[int, str]]


@dataclass(frozen=True)
class OneVersion:
    """A version with the charts of its evidence."""

    one: VersionView
    charts: tuple[Drawn, ...]
    agrees: frozenset[tuple[int, str]]


def _list(viewer: Viewer, _asked: Asked) -> Models:
    kept = viewer.inside.kept
    found = models(viewer.vault, kept.shelf, viewer.may, _served(viewer), viewer.name)
    for one in found:
        viewer.require("model.view", one.name, one.shown.names, detail="console models")
    return Models(found)


def _model(viewer: Viewer, asked: Asked) -> OneModel:
    name = asked.path["name"]
    require_view(viewer, name)
    kept = viewer.inside.kept
    found = model(viewer.vault, kept.shelf, name, viewer.may, _served(viewer), viewer.name)
    return OneModel(found, all_drawn(charts(found.measured, viewer.words)), _agrees(viewer, found))


def _version(viewer: Viewer, asked: Asked) -> OneVersion:
    name, number = asked.path["name"], int(asked.path["number"])
    require_view(viewer, name, number)
    kept = viewer.inside.kept
    found = version(viewer.vault, kept.shelf, name, number, viewer.may, _served(viewer), viewer.name)
    only = ModelView(name, (found.entry,), ())
    return OneVersion(found, _charts(viewer, found), _agrees(viewer, only))


def _proof(viewer: Viewer, asked: Asked) -> Response:
    name, number = asked.path["name"], int(asked.path["number"])
    entry = require_view(viewer, name, number)
    proof = bytes(prove_inclusion(viewer.vault.ledger, entry))
    return download(proof, f"{name}-{number}.tlog-proof")


def _entry(viewer: Viewer, asked: Asked) -> Response:
    name, number = asked.path["name"], int(asked.path["number"])
    entry = require_view(viewer, name, number)
    return download(viewer.vault.ledger.entry(entry), f"{name}-{number}.entry")


def require_view(viewer: Viewer, name: str, number: int | None = None) -> int:
    """Go on only where the viewer may see a model, or one version of it; its entry in the ledger.

    Raises:
        AccessDenied: he may not; so that he learns nothing, also where there is none of that name.
        Missing: there is none.
    """
    versions = seen(viewer.vault, viewer.may, name)
    found = [one for one in versions if number in (None, one.number)]
    names = found[-1].names if found else (str(number),) if number else ()
    viewer.require("model.view", name, names, detail="console")
    if not found:
        raise Missing
    return found[-1].entry


def _served(viewer: Viewer) -> dict[tuple[str, str], int]:
    return viewer.inside.kept.served(viewer.server.rack)


def _agrees(viewer: Viewer, found: ModelView) -> frozenset[tuple[int, str]]:
    return frozenset(
        (one.number, one.alias)
        for one in found.wishes
        if not one.mine and viewer.may("model.promote", one.model, (str(one.number), one.alias))
    )


def _charts(viewer: Viewer, found: VersionView) -> tuple[Drawn, ...]:
    """What its evidence tells in curves: accuracy against radius and against queries."""
    if not found.entry.known.measured and "curve" not in found.entry.known.kinds:
        return ()
    words = ReportWords(viewer.words.lang)
    try:
        summary = summarize(found.entry.known.evidence)
    except DataError:
        return ()
    return all_drawn([*radius_charts(summary, words), *query_charts(summary, words)])


def _promote(viewer: Viewer, asked: Asked, form: Form) -> Done:
    number = asked.path.get("number") or form["number"]
    outcome = promote(viewer.vault, f"{asked.path['name']}@{number}", form["alias"])
    return Done("promoted" if outcome.done else "wished")


def _revoke(viewer: Viewer, asked: Asked, form: Form) -> Done:
    revoke(viewer.vault, f"{asked.path['name']}@{asked.path['number']}", form["reason"])
    return Done("revoked")


def _concerns(viewer: Viewer) -> Sequence[Concern]:
    vault, found = viewer.vault, list[Concern]()
    for one in wishes(vault, viewer.name):
        if one.lacking and viewer.may("model.promote", one.model, (str(one.number), one.alias)):
            values = {"model": one.model, "version": one.number, "alias": one.alias, "by": ", ".join(one.by)}
            to = f"/models/{one.model}"
            found.append(
                Concern("note", "models.concern.mine", to, values)
                if one.mine
                else Concern("warn", "models.concern.wish", to, values)
            )
    for each in seen(vault, viewer.may):
        if each.revoked is not None and PRODUCTION in each.aliases:
            values = {"model": each.model, "version": each.number}
            found.append(Concern("bad", "models.concern.revoked", f"/models/{each.model}", values))
    return found


_PROMOTE = Act(_promote, None)

PAGES = (
    Page(name="models", path="/models", view=_list, concerns=_concerns),
    Page(name="model", path="/models/{name}", view=_model, under="models", acts={"promote": _PROMOTE}),
    Page(
        name="version",
        path="/models/{name}/{number:int}",
        view=_version,
        under="models",
        acts={"promote": _PROMOTE, "revoke": Act(_revoke, None)},
    ),
    Page(name="proof", path="/models/{name}/{number:int}/proof", view=_proof, under="models"),
    Page(name="entry", path="/models/{name}/{number:int}/entry", view=_entry, under="models"),
)
