"""A verdict as JUnit XML: a suite for each area, a case for each finding; build servers show it as tests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as Tree

from hauberk.assurance.finding import Finding
from hauberk.assurance.text import Lang
from hauberk.assurance.verdict import Verdict

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold; a file's name may."""


def to_junit(verdict: Verdict, lang: Lang = "en") -> bytes:
    """``failed`` is a failure, ``unknown`` an error, ``waived`` and ``not-applicable`` are skipped.

    A case whose severity lies below the policy's ``fail_at`` is skipped too, so that suites fail when and only
    when the verdict does.
    """
    failing = {id(one) for one in verdict.failing}
    areas: dict[str, list[Finding]] = {}
    for one in verdict.findings:
        areas.setdefault(one.rule.partition(".")[0], []).append(one)
    root = Tree.Element("testsuites", {"name": _clean(f"hauberk audit {verdict.target.name}")})
    for area, findings in areas.items():
        suite = Tree.SubElement(root, "testsuite", {"name": area, "timestamp": verdict.created.rstrip("Z")})
        for one in findings:
            _case(suite, one, lang, fails=id(one) in failing)
        suite.attrib.update(_counts(suite))
    if verdict.changed:
        suite = Tree.SubElement(root, "testsuite", {"name": "target"})
        case = Tree.SubElement(suite, "testcase", {"classname": "target", "name": "unchanged", "time": "0"})
        Tree.SubElement(case, "error", {"type": "changed", "message": _clean(", ".join(verdict.changed[:5]))})
        suite.attrib.update(_counts(suite))
    root.attrib.update(_counts(root))
    Tree.indent(root, " ")
    return bytes(Tree.tostring(root, "utf-8", xml_declaration=True)) + b"\n"


def _case(suite: Tree.Element, one: Finding, lang: Lang, *, fails: bool) -> None:
    name = _clean(f"{one.rule} [{one.subject.name}]")
    case = Tree.SubElement(suite, "testcase", {"classname": f"hauberk.{one.rule}", "name": name, "time": "0"})
    seen = _clean(one.seen(lang))
    if fails:
        tag = "failure" if one.state == "failed" else "error"
        body = Tree.SubElement(case, tag, {"type": one.severity, "message": seen})
        body.text = _clean("\n".join([one.needed(lang), one.gain(lang), *one.fix, *one.evidence]))
    elif one.state != "passed":
        why = "" if one.excuse is None else f" ({one.excuse.by}, {one.excuse.until}: {one.excuse.reason})"
        Tree.SubElement(case, "skipped", {"message": seen + _clean(why)})


def _counts(element: Tree.Element) -> Mapping[str, str]:
    names = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    return {name: str(sum(1 for _ in element.iter(tag))) for name, tag in names.items()} | {"time": "0"}


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
