"""Which pages of other web origins may ask from a browser: those that are named exactly, and by default none.

They show who asks with a header of their own, such as an API key, never with cookies or what a browser sends by
itself: no answer allows credentials.

Source: Fetch standard, CORS protocol; RFC 6454 for origins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hauberk.core.errors import ConfigError

Scope = dict[str, Any]
Headers = list[tuple[bytes, bytes]]

_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?", re.ASCII)
_PATHS = "/v2"
_KEPT_S = b"600"
_METHODS = b"GET, HEAD, POST"
_ASKED = b"authorization, content-encoding, content-type, inference-header-content-length, traceparent"
_SHOWN = b"inference-header-content-length, retry-after, x-request-id"
_VARY = (b"vary", b"origin")


class Cors:
    """An allow-list.

    Args:
        origins: as browsers write them, such as ``https://app.example.com``; no wildcard.

    Raises:
        ConfigError: one that no browser would send.
    """

    def __init__(self, origins: Sequence[str]) -> None:
        for one in origins:
            if not _ORIGIN.fullmatch(one):
                raise ConfigError(
                    f"'{one}' is no web origin",
                    hint="https://HOST or https://HOST:PORT, in lower case, no path",
                )
        self._origins = frozenset(one.encode() for one in origins)

    def headers(self, scope: Scope) -> Headers:
        """What an answer tells a browser besides."""
        if not scope["path"].startswith(_PATHS):
            return []
        origin = self._allowed(scope)
        if origin is None:
            return [_VARY]
        return [
            _VARY,
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _SHOWN),
        ]

    def preflight(self, scope: Scope) -> Headers | None:
        """The answer to a browser that asks whether a page may ask; None for any other request."""
        if scope["method"] != "OPTIONS" or not scope["path"].startswith(_PATHS):
            return None
        asked = any(name == b"access-control-request-method" for name, _value in scope["headers"])
        if not asked or self._allowed(scope) is None:
            return None
        return [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _ASKED),
            (b"access-control-max-age", _KEPT_S),
        ]

    def _allowed(self, scope: Scope) -> bytes | None:
        found = [value for name, value in scope["headers"] if name == b"origin"]
        return found[0] if len(found) == 1 and found[0] in self._origins else None
