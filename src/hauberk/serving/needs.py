"""What a server needs beyond the rest of Hauberk."""

from __future__ import annotations

from importlib.util import find_spec

from hauberk.core.errors import DependencyMissing

_PARTS = ("uvicorn", "httptools", "orjson", "prometheus_client", "segno", "starlette")


def check_installed() -> None:
    """Raises:
    DependencyMissing: with the line that installs what lacks.
    """
    if any(find_spec(one) is None for one in _PARTS):
        raise DependencyMissing.extra("serving", "serve")
