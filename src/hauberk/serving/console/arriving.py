"""Signing in and out: the cookie, and what whoever is not let in is told."""

from __future__ import annotations

import math
from threading import BoundedSemaphore

from starlette.responses import RedirectResponse, Response

from hauberk.access import Circumstances
from hauberk.core.errors import AccessDenied, TrailUnavailable
from hauberk.serving.console.pages import Form
from hauberk.serving.console.viewer import Inside

_AT_ONCE = BoundedSemaphore(4)  # a password's hash takes 19 MiB, and strangers may ask for it
_PATIENCE_S = 5.0


def cookie_name(inside: Inside) -> str:
    """``__Host-`` lets browsers take it over TLS alone, and from this very host."""
    return "__Host-hauberk" if inside.secure else "hauberk-session"


def entered(inside: Inside, form: Form, where: Circumstances, before: str, to: str) -> Response:
    """Sign in.

    Args:
        before: the token that the browser shows already; that session ends.
        to: where to go then.

    Raises:
        AccessDenied: name, password and code are not somebody's; or too many attempts, by him or at once.
        TrailUnavailable: that could not be written down.
    """
    code = "".join(form["code"].split())
    if not _AT_ONCE.acquire(timeout=_PATIENCE_S):
        raise AccessDenied("too many attempts at once", wait_s=_PATIENCE_S)
    try:
        caller = inside.access.by_password(form["name"], form.secret("password"), code, where, both=True)
    finally:
        _AT_ONCE.release()
    inside.access.signed_in(caller, where)
    token = inside.sessions.begin(caller.name, caller.how, where.source, instead_of=before or None)
    answer = RedirectResponse(to, 303)
    answer.set_cookie(
        cookie_name(inside), token, max_age=inside.sessions.longest_s, path="/", httponly=True,
        samesite="strict", secure=inside.secure,
    )  # fmt: skip
    return answer


def left(inside: Inside) -> Response:
    """The answer to whoever has signed out."""
    answer = RedirectResponse("/console/sign-in", 303)
    answer.delete_cookie(cookie_name(inside), path="/", httponly=True, samesite="strict", secure=inside.secure)
    answer.headers["clear-site-data"] = '"cache"'
    return answer


def status(refused: AccessDenied) -> int:
    if isinstance(refused, TrailUnavailable):
        return 503
    return 429 if "wait_s" in refused.facts else 403


def headers(refused: AccessDenied | None) -> dict[str, str]:
    wait = None if refused is None else refused.facts.get("wait_s")
    return {} if not isinstance(wait, float) else {"retry-after": str(math.ceil(wait))}
