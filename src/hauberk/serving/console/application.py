"""The console as an ASGI application below ``/console``: who is it, may he, what is shown.

Nothing that is asked with GET changes anything; whatever is posted comes from a page of this session.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import compile_path
from starlette.types import Message, Receive, Scope, Send

from hauberk.access import Caller, Circumstances
from hauberk.core.errors import AccessDenied, ConfigError, DataError, HauberkError, TrailUnavailable
from hauberk.serving.console import arriving, forms, live
from hauberk.serving.console.forms import BadForm, Foreign
from hauberk.serving.console.pages import Act, Asked, Done, Form, Missing, Page, Shown
from hauberk.serving.console.registry import PAGES
from hauberk.serving.console.rendering import render
from hauberk.serving.console.static_files import PLACE, served
from hauberk.serving.console.viewer import Inside, Viewer
from hauberk.serving.console.words import HTML_LANG, Words, wanted

PREFIX = "/console"
THEMES = ("auto", "light", "dark")
_LANG, _THEME = "hauberk-lang", "hauberk-theme"
_YEAR_S = 31_536_000
_HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
    "vary": "cookie, accept-language",
}


class Console:
    """Answers everything below ``/console``.

    Args:
        pages: in the order of the navigation.
    """

    def __init__(self, inside: Inside, pages: tuple[Page, ...] = PAGES) -> None:
        self._inside, self._pages = inside, pages
        self._routes = [(compile_path(PREFIX + one.path)[0], one) for one in pages]
        self._key = bytes(inside.vault.keys.derive(b"console tickets"))
        self._extra = {"strict-transport-security": f"max-age={_YEAR_S}"} if inside.tls else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begin, request, status = time.perf_counter(), secrets.token_hex(8), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        asked = Request(scope, receive)
        try:
            try:
                answer = await self._answer(asked, request)
            except ClientDisconnect:
                raise
            except Exception as error:  # noqa: BLE001 (the viewer learns nothing of it, the log does)
                self._inside.server.metrics.failed(request, error)
                answer = self._told(asked, 500, "failed", id_=request)
            for name, value in {**_HEADERS, **self._extra, "x-request-id": request}.items():
                answer.headers.setdefault(name, value)
            await answer(scope, receive, sent)
        except (
            ClientDisconnect,
            asyncio.CancelledError,
        ):  # a connection that is lost cancels what it asked for
            self._inside.server.metrics.gone()
            return
        self._inside.server.metrics.answered("console", status, time.perf_counter() - begin)

    async def _answer(self, request: Request, id_: str) -> Response:
        path, method = request.url.path, request.method
        if path == PREFIX:
            return RedirectResponse(f"{PREFIX}/", 308)
        if path.startswith(PLACE):
            return _static(path) if method in ("GET", "HEAD") else self._told(request, 405, "method")
        if method not in ("GET", "HEAD", "POST"):
            return self._told(request, 405, "method")
        where = Circumstances(request.client.host if request.client else "", id_)
        try:
            form = None
            if method == "POST":
                if not forms.own_origin(request):
                    raise Foreign
                form = await forms.read(request)
            return await run_in_threadpool(self._work, request, form, where)
        except BadForm:
            return self._told(request, 400, "form")
        except Foreign:
            return self._told(request, 403, "foreign")

    def _work(self, request: Request, form: Form | None, where: Circumstances) -> Response:
        path = request.url.path.removeprefix(PREFIX)
        if path == "/preferences" and form is not None:
            return self._preferences(form)
        if path == "/sign-in":
            return self._sign_in(request, form, where)
        renews = request.headers.get(live.HEADER, "") if form is None else ""
        token = request.cookies.get(arriving.cookie_name(self._inside), "")
        session = self._inside.sessions.find(token, by_person=not renews)
        if session is None:
            return self._strange(request, form, bool(renews))
        if form is not None and not session.has_form_token(form["form_token"]):
            raise Foreign
        if path == "/sign-out" and form is not None:
            self._inside.sessions.end(token)
            return arriving.left(self._inside)
        quiet = bool(renews) and live.holds(
            renews, self._key, session.id, request.url.path, self._inside.vault.now_ms() // 1000
        )
        words = Words(self._lang(request))
        viewer = Viewer(self._inside, Caller(session.identity, session.how), session, words, where, quiet)
        page, asked = self._find(request)
        if page is None:
            return self._told(request, 404, "missing", viewer)
        return self._page(request, viewer, page, asked, form)

    def _find(self, request: Request) -> tuple[Page | None, Asked]:
        for pattern, page in self._routes:
            found = pattern.fullmatch(request.url.path)
            if found is not None:
                return page, Asked(found.groupdict(), forms.parsed(request.url.query))
        return None, Asked()

    def _page(self, request: Request, viewer: Viewer, page: Page, asked: Asked, form: Form | None) -> Response:
        trouble: HauberkError | None = None
        template, view, status = page.name, None, 200
        try:
            if form is not None:
                act = page.acts.get(form["do"])
                if act is None:
                    return self._told(request, 400, "form", viewer)
                outcome, trouble = _done(viewer, act, asked, form)
                if isinstance(outcome, Done):
                    to = PREFIX + outcome.to if outcome.to else request.url.path
                    return RedirectResponse(f"{to}?said={quote(outcome.said)}", 303)
                if isinstance(outcome, Shown):
                    template, view = outcome.template, outcome.view
                status = 200 if trouble is None else _status(trouble)
            if view is None:
                if page.action is not None:
                    viewer.require(page.action, detail=page.said(asked))
                view = page.view(viewer, asked)
        except Missing:
            return self._told(request, 404, "missing", viewer)
        except HauberkError as error:
            return self._refused(request, viewer, error)
        if isinstance(view, Response):
            return view
        said = asked.query["said"] if form is None else ""
        text = render(
            template,
            **self._frame(request, viewer, page),
            view=view,
            page=page,
            asked=asked,
            form=form or Form(),
            trouble=trouble,
            said=f"said.{said}" if said and f"said.{said}" in viewer.words else None,
        )
        return HTMLResponse(text, status)

    def _frame(self, request: Request, viewer: Viewer | None, page: Page | None = None) -> dict[str, Any]:
        """What every template may use."""
        words = viewer.words if viewer else Words(self._lang(request))
        now_ms = self._inside.vault.now_ms()
        path = request.url.path
        renewal = live.ticket(self._key, viewer.session.id, path, now_ms // 1000) if viewer and page else ""
        if viewer is not None and viewer.quiet:
            renewal = request.headers[live.HEADER]
        return {
            "t": words,
            "html_lang": HTML_LANG[words.lang],
            "theme": self._theme(request),
            "themes": THEMES,
            "viewer": viewer,
            "navigation": [one for one in self._pages if one.under is None and _may_see(viewer, one)],
            "section": page.section if page else None,
            "here": path + (f"?{request.url.query}" if request.url.query else ""),
            "path": path,
            "prefix": PREFIX,
            "ticket": renewal,
            "now_ms": now_ms,
        }

    def _sign_in(self, request: Request, form: Form | None, where: Circumstances) -> Response:
        cookie = request.cookies.get(arriving.cookie_name(self._inside), "")
        to = forms.safe_next((form or forms.parsed(request.url.query))["next"])
        refused: AccessDenied | None = None
        if form is not None:
            try:
                return arriving.entered(self._inside, form, where, cookie, to)
            except AccessDenied as error:
                refused = error
        elif self._inside.sessions.find(cookie, by_person=False) is not None:
            return RedirectResponse(to, 303)
        frame = self._frame(request, None)
        text = render("sign_in", **frame, refused=refused, next=to, name=form["name"][:64] if form else "")
        return HTMLResponse(
            text, 200 if refused is None else arriving.status(refused), arriving.headers(refused)
        )

    def _strange(self, request: Request, form: Form | None, renews: bool) -> Response:
        """Nobody is signed in."""
        if renews:
            return Response(status_code=401)
        if form is not None:
            return self._told(request, 401, "signed_out")
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{PREFIX}/sign-in?next={quote(here, safe='')}", 303)

    def _preferences(self, form: Form) -> Response:
        answer = RedirectResponse(forms.safe_next(form["next"]), 303)
        chosen = {_LANG: (form["lang"], tuple(HTML_LANG)), _THEME: (form["theme"], THEMES)}
        for name, (value, known) in chosen.items():
            if value in known:
                answer.set_cookie(
                    name, value, max_age=_YEAR_S, path=PREFIX, httponly=True, samesite="strict",
                    secure=self._inside.secure,
                )  # fmt: skip
        return answer

    def _refused(self, request: Request, viewer: Viewer, error: HauberkError) -> Response:
        if viewer.quiet:
            return Response(status_code=_status(error))
        kind = "refused" if isinstance(error, AccessDenied) else "trouble"
        if isinstance(error, TrailUnavailable):
            kind = "no_trail"
        return self._told(request, _status(error), kind, viewer, error)

    def _told(
        self,
        request: Request,
        status: int,
        kind: str,
        viewer: Viewer | None = None,
        error: HauberkError | None = None,
        *,
        id_: str = "",
    ) -> Response:
        """A page that says why there is none."""
        text = render(
            "told" if viewer else "told_alone",
            **self._frame(request, viewer),
            kind=kind,
            error=error,
            request_id=id_,
        )
        return HTMLResponse(text, status)

    def _lang(self, request: Request) -> str:
        return wanted(request.headers.get("accept-language", ""), request.cookies.get(_LANG))

    @staticmethod
    def _theme(request: Request) -> str:
        chosen = request.cookies.get(_THEME)
        return chosen if chosen in THEMES else THEMES[0]


def _may_see(viewer: Viewer | None, page: Page) -> bool:
    return viewer is not None and (page.action is None or viewer.may(page.action))


def _done(
    viewer: Viewer, act: Act, asked: Asked, form: Form
) -> tuple[Done | Shown | None, HauberkError | None]:
    """What came of it, or what stood in the way and can be mended on the page.

    Raises:
        AccessDenied: he may not.
    """
    try:
        if act.action is not None:
            viewer.require(act.action, detail=act.detail(asked, form))
        return act.do(viewer, asked, form), None
    except AccessDenied:
        raise
    except HauberkError as error:
        return None, error


def _status(error: HauberkError) -> int:
    """In the words of HTTP."""
    if isinstance(error, TrailUnavailable):
        return 503
    if isinstance(error, AccessDenied):
        return 403
    if isinstance(error, ConfigError | DataError):
        return 400
    return 409 if error.exit_code == 1 else 503


def _static(path: str) -> Response:
    found = served().get(path)
    if found is None:
        return Response(status_code=404)
    kind, data = found
    return Response(data, media_type=kind, headers={"cache-control": f"public, max-age={_YEAR_S}, immutable"})
