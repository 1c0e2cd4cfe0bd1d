"""The report of an assessment: for who decides, in two minutes; for who checks, every claim with its evidence.

render_audit(verdict, evidence)     one page: no network, no script, prints, English or Chinese

reading     a verdict's document, read as untrusted input into ``views``
numbers     the five figures of the first screen
comparing   what changed since another verdict
timeline    what happened to the model, in order
page        what the template asks for
"""

from hauberk.reports.audit.page import render_audit
from hauberk.reports.audit.timeline import Event

__all__ = ["Event", "render_audit"]
