"""A caller without a browser, who can do what a browser would not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

_TOKEN = re.compile(r'name="form_token" value="([A-Za-z0-9_-]{43})"')


@dataclass
class Told:
    """An answer."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Asker:
    """Requests with a session's cookie.

    Args:
        house: the fixture.
        cookie: the session's token, or None.
    """

    house: Any
    cookie: str | None
    form_token: str = ""
    host: str = field(init=False)

    def __post_init__(self) -> None:
        self.host = f"127.0.0.1:{self.house.server.port}"

    def get(self, path: str, **headers: str) -> Told:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, form: dict[str, str], **headers: str) -> Told:
        """A form from a page of this server, with this session's token, unless the form or headers differ."""
        known = {"origin": f"http://{self.host}", "sec-fetch-site": "same-origin"}
        form = {"form_token": self.token(), **form}
        sent = {**known, "content-type": "application/x-www-form-urlencoded", **headers}
        return self._ask("POST", path, urlencode(form).encode(), {k: v for k, v in sent.items() if v})

    def do(self, path: str, act: str, **form: str) -> Told:
        return self.post(path, {"do": act, **form})

    def token(self) -> str:
        """What forms of this session bring along, as a page says."""
        if not self.form_token and self.cookie is not None:
            found = _TOKEN.search(self.get("/").text)
            self.form_token = found[1] if found else ""
        return self.form_token

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Told:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie is not None:
            sent.setdefault("cookie", f"hauberk-session={self.cookie}")
        status, found, data = self.house.server.ask(method, f"/console{path}", body, sent)
        return Told(status, found, data.decode("utf-8", "replace"))


def as_(house: Any, name: str | None) -> Asker:
    """Somebody who is signed in, or nobody."""
    return Asker(house, None if name is None else house.cookie(name))
