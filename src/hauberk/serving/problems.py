"""What a caller is told when a request cannot be served: RFC 9457 problem documents.

The member ``error`` repeats the detail, because clients of the Open Inference Protocol look there.

Source: RFC 9457; Open Inference Protocol v2, inference JSON error response object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = b"application/problem+json"
_TYPE = "urn:hauberk:problem:"


class Problem(Exception):
    """A request that is answered with an HTTP error.

    Args:
        status: from 400 to 599.
        kind: a stable word for programs, such as ``too-many-rows``.
        detail: one line for people; nothing secret.
        headers: further ones, such as ``Retry-After``.
        facts: further members of the document.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.headers = dict(headers or {})
        self.facts = facts

    def to_json(self) -> dict[str, Any]:
        """The document."""
        return {
            "type": f"{_TYPE}{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "error": self.detail,
            **self.facts,
        }

    def body(self) -> bytes:
        return json.dumps(self.to_json(), ensure_ascii=False).encode()


def bad_request(kind: str, detail: str, **facts: Any) -> Problem:
    """400: the request itself is wrong, and will be wrong again."""
    return Problem(400, kind, detail, **facts)


def busy(detail: str, retry_after_s: int) -> Problem:
    """429: too much at once; the header says when to come back."""
    return Problem(429, "busy", detail, headers={"retry-after": str(retry_after_s)})
