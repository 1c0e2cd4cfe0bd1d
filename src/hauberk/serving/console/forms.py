"""What a browser sends, and whether it comes from a page of ours."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from hauberk.serving.console.pages import Form

MOST_BYTES = 64 << 10
_MOST_FIELDS = 200
_KIND = "application/x-www-form-urlencoded"


class BadForm(Exception):
    """It is none, or too large."""


class Foreign(Exception):
    """It was not sent from a page of this server, or of this session."""


def own_origin(request: Request) -> bool:
    """Whether a page of this server sent the request, as the browser says.

    Browsers say so of every POST, and no page can make them say otherwise; a request that says nothing comes
    from something else.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is None:
        return False
    if site is not None and site != "same-origin":
        return False
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower() != ""
    except ValueError:
        return False


async def read(request: Request) -> Form:
    """A posted form.

    Raises:
        BadForm: another kind of body, or more than a form of the console has.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _KIND:
        raise BadForm
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise BadForm
    return parsed(body.decode("ascii", "replace"))


def parsed(text: str) -> Form:
    """``a=1&b=2``; raises as ``read``."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise BadForm from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return Form(found)


def safe_next(text: str) -> str:
    """A path of the console to go on to; never another server."""
    plain = text.isprintable() and not any(one in text for one in "\\\r\n")
    return text if plain and (text == "/console" or text.startswith("/console/")) else "/console/"
