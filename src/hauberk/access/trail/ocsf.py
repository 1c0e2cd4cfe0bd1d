"""The trail for other tools: OCSF, the Open Cybersecurity Schema Framework, one JSON object a line.

A decision is an event of class API Activity (6003), signing in, or failing to, one of class Authentication
(3002), and what a server's guard found about a caller one of class Detection Finding (2004). What OCSF has no
word for stands under ``unmapped``.

Source: https://schema.ocsf.io, version 1.3.0.
"""

from __future__ import annotations

from importlib import metadata
from typing import Any

from hauberk.access.trail.line import Line

VERSION = "1.3.0"
ENTER = "enter"
ALERT = "alert"

_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_ACTIVITIES = {
    "model.view": _READ,
    "model.pull": _READ,
    "model.predict": _READ,
    "model.evaluate": _READ,
    "model.push": _CREATE,
    "model.promote": _UPDATE,
    "model.revoke": _DELETE,
    "access.manage": _UPDATE,
    "access.view": _READ,
    "audit.read": _READ,
    "data.manage": _UPDATE,
    "data.query": _READ,
    "data.reidentify": _READ,
    "ledger.append": _CREATE,
}
_NAMES = {_CREATE: "Create", _READ: "Read", _UPDATE: "Update", _DELETE: "Delete", _OTHER: "Other"}
_LOGON = 1
_NEW, _MEDIUM = 1, 3


def event(line: Line) -> dict[str, Any]:
    """The event of one line."""
    shared = {
        "category_uid": 6,
        "time": line.time_ms,
        "severity_id": 1 if line.allowed else 2,
        "status_id": 1 if line.allowed else 2,
        "status": "Success" if line.allowed else "Failure",
        "status_detail": line.why,
        "metadata": {
            "version": VERSION,
            "product": {"name": "Hauberk", "vendor_name": "Hauberk", "version": metadata.version("hauberk")},
            "profiles": ["security_control"],
            "uid": str(line.number),
            "sequence": line.number,
            "log_name": "access trail",
        },
        "src_endpoint": {"ip": line.source} if line.source else {"name": "local"},
        "action_id": 1 if line.allowed else 2,
        "action": "Allowed" if line.allowed else "Denied",
        "unmapped": {"recognised_by": line.how, "detail": line.detail},
    }
    told = {ENTER: _entering, ALERT: _finding}.get(line.action, _asking)
    return {**shared, **told(line)}


def _entering(line: Line) -> dict[str, Any]:
    return {
        "category_uid": 3,
        "category_name": "Identity & Access Management",
        "class_uid": 3002,
        "class_name": "Authentication",
        "activity_id": _LOGON,
        "activity_name": "Logon",
        "type_uid": 3002 * 100 + _LOGON,
        "user": {"name": line.who or "unknown"},
    }


def _finding(line: Line) -> dict[str, Any]:
    return {
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "activity_id": _CREATE,
        "activity_name": _NAMES[_CREATE],
        "type_uid": 2004 * 100 + _CREATE,
        "severity_id": _MEDIUM,
        "status_id": _NEW,
        "status": "New",
        "finding_info": {"uid": line.request, "title": line.detail},
        **({"actor": {"user": {"name": line.who}}} if line.who else {}),
        **({"resources": [{"name": line.model, "type": "model"}]} if line.model else {}),
    }


def _asking(line: Line) -> dict[str, Any]:
    activity = _ACTIVITIES.get(line.action, _OTHER)
    resource: dict[str, Any] = {"name": line.model, "type": "model"}
    if line.version:
        resource["version"] = line.version
    return {
        "category_name": "Application Activity",
        "class_uid": 6003,
        "class_name": "API Activity",
        "activity_id": activity,
        "activity_name": _NAMES[activity],
        "type_uid": 6003 * 100 + activity,
        "actor": {"user": {"name": line.who or "unknown"}},
        "api": {"operation": line.action, "request": {"uid": line.request}},
        **({"resources": [resource]} if line.model else {}),
    }
