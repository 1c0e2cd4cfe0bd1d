"""Files that a page hands out."""

from __future__ import annotations

import re

from starlette.responses import Response

_PLAIN = re.compile(r"[^A-Za-z0-9._-]")


def download(data: bytes, name: str, kind: str = "text/plain; charset=utf-8") -> Response:
    """Bytes that a browser saves under a name."""
    plain = _PLAIN.sub("_", name)
    return Response(data, headers={"content-disposition": f'attachment; filename="{plain}"'}, media_type=kind)
