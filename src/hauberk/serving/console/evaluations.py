"""Evaluations: every measurement that came with a version, and the report on all of them together.

A report is a page of its own (``hauberk.reports``) with its style in it. It is shown under a policy that names
that style by its hash and allows nothing else: no script, no request, no frame, an origin of nobody.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Literal

from starlette.responses import HTMLResponse, Response

from hauberk.core.errors import DataError
from hauberk.ledger.figures import figures, written
from hauberk.reports.html import render_html
from hauberk.reports.words import Lang
from hauberk.serving.console.model_pages import require_view
from hauberk.serving.console.models import May, seen
from hauberk.serving.console.moments import milliseconds
from hauberk.serving.console.pages import Asked, Page
from hauberk.serving.console.shelf import Measured, Shelf
from hauberk.serving.console.viewer import Viewer
from hauberk.vault.place import Vault
from hauberk.vault.registry import Version

MEASURING = (
    "evaluation",
    "attack",
    "curve",
    "certificates",
    "detection",
    "corruptions",
    "poisoning",
    "cleansing",
    "extraction",
    "membership",
    "inversion",
    "privacy-audit",
    "sweep",
)
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_ATTRIBUTE = re.compile(r' style="([^"]*)"')


@dataclass(frozen=True)
class Measurement:
    """One document.

    Args:
        told: its figures in a line.
    """

    kind: str
    created_ms: int | None
    digest: str
    told: str


@dataclass(frozen=True)
class Evaluated:
    """What was measured of one version, the newest first.

    Args:
        newest: the newest evaluation in figures; None where there is none.
        unread: why its evidence could not be read, or None.
    """

    version: Version
    newest: Measured | None
    measurements: tuple[Measurement, ...]
    unread: str | None


@dataclass(frozen=True)
class Report:
    """A report as it is sent: the page, and the policy under which a browser shows it."""

    page: str
    policy: str


def evaluations(vault: Vault, shelf: Shelf, may: May) -> tuple[Evaluated, ...]:
    """All versions that the viewer may see and that were measured: models by name, new versions first."""
    shown = [_evaluated(vault, shelf, one) for one in seen(vault, may)]
    told = [one for one in shown if one.measurements or one.unread]
    return tuple(sorted(told, key=lambda one: (one.version.model, -one.version.number)))


def report(vault: Vault, shelf: Shelf, may: May, name: str, number: int, lang: Lang) -> Report:
    """The report on all evidence of a version.

    Raises:
        DataError: there is no such version, the viewer may not see it, or there is nothing to report.
    """
    one = next((one for one in seen(vault, may, name) if one.number == number), None)
    if one is None:
        raise DataError(f"there is no version {number} of '{name[:100]}'")
    known = shelf.of(vault, one)
    if not known.evidence:
        raise DataError(known.unread or f"{one} has no evidence to report on")
    page = render_html(known.evidence, lang=lang, title=str(one))
    return Report(page, policy_for(page))


def policy_for(page: str) -> str:
    """A Content-Security-Policy that lets a report's own styles and pictures through, and nothing else."""
    attributes = sorted({_hash(one) for one in _ATTRIBUTE.findall(page)})
    styles = [_hash(one) for one in _STYLE.findall(page)]
    unsafe = ["'unsafe-hashes'", *attributes] if attributes else []
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(["style-src", *styles, *unsafe]),
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "sandbox",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _evaluated(vault: Vault, shelf: Shelf, one: Version) -> Evaluated:
    known = shelf.of(vault, one)
    told = [
        Measurement(
            each.kind, milliseconds(each.created), each.digest, written(figures(each.kind, each.to_json()))
        )
        for each in reversed(known.evidence)
        if each.kind in MEASURING
    ]
    return Evaluated(one, known.newest, tuple(told), known.unread)


@dataclass(frozen=True)
class Evaluations:
    """Everything that was measured."""

    versions: tuple[Evaluated, ...]


def _view(viewer: Viewer, _asked: Asked) -> Evaluations:
    found = evaluations(viewer.vault, viewer.inside.kept.shelf, viewer.may)
    for name in dict.fromkeys(one.version.model for one in found):
        names = next(one.version.names for one in found if one.version.model == name)
        viewer.require("model.view", name, names, detail="console evaluations")
    return Evaluations(found)


def _report(viewer: Viewer, asked: Asked) -> Response:
    name, number = asked.path["name"], int(asked.path["number"])
    require_view(viewer, name, number)
    lang: Literal["en", "zh"] = "zh" if viewer.words.lang == "zh" else "en"
    found = report(viewer.vault, viewer.inside.kept.shelf, viewer.may, name, number, lang)
    return HTMLResponse(found.page, headers={"content-security-policy": found.policy})


PAGES = (
    Page(name="evaluations", path="/evaluations", view=_view),
    Page(name="report", path="/evaluations/{name}/{number:int}", view=_report, under="evaluations"),
)
