"""Evidence in, documents out: what was measured, for people who must decide and for programs that must check.

    render_html(evidence)            one page: no network, no script, prints, English or Chinese
    render_json(evidence)            the same figures for programs
    save_pictures(evidence, folder)  grids and a story as PNG, charts as SVG
    render_audit(verdict, evidence)  the page of an assessment

A report knows evidence only. It never sees a model, runs nothing and measures nothing (it counts verdicts for
accuracy against queries, no more), so it can be drawn again years later from the files alone, by somebody who
does not trust those who made them. Evidence is read as untrusted input: a malformed document ends in one error
that names it.

Inside: ``fields`` reads documents, ``summary`` (with ``harm`` for accidents, poison, theft and people, and
``parts`` for what kinds have in common) turns them into ``views``, ``judge`` decides what is said and ``words``
says it in two languages; ``scales``, ``charts`` and ``figures`` draw lines, ``images``, ``galleries``,
``canvas`` and ``pictures`` draw pixels; ``cards``, ``html`` and ``document`` put it together; ``audit`` has the
page of an assessment.
"""

from hauberk.reports.audit import render_audit
from hauberk.reports.document import render_json
from hauberk.reports.html import render_html
from hauberk.reports.pictures import save_pictures

__all__ = ["render_audit", "render_html", "render_json", "save_pictures"]
