"""The server's log: one JSON object a line on standard error, about the server and never about what was asked.

No input, answer, header or caller stands in it. Of an exception it names the kind and the place, not the
message, which may quote what somebody sent.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

_log = logging.getLogger("hauberk.serving")
_FRAMES = 4  # the innermost ones tell where it happened


def tell(event: str, *, level: int = logging.INFO, error: BaseException | None = None, **facts: Any) -> None:
    """One line.

    Args:
        event: a stable word for programs, such as ``model-served``.
        facts: plain JSON values; nothing secret, nothing that a caller sent.
    """
    _log.log(level, event, extra={"facts": facts}, exc_info=error)


class JsonLines(logging.Formatter):
    """``{"time", "level", "event", …}``; a record of a library has its logger's name instead of facts."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": time.replace("+00:00", "Z"), "level": record.levelname.lower()}
        facts = getattr(record, "facts", None)
        if facts is None:
            line |= {"event": "library", "from": record.name}
        else:
            line |= {"event": record.msg, **facts}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line |= {"error": type(error).__name__, "at": _places(error)}
        return json.dumps(line, ensure_ascii=False, default=str)


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in frames]


def write_to(stream: TextIO | None = None) -> logging.Handler:
    """Send the server's and its HTTP library's records to a stream [default: standard error]."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in (
        ("hauberk.serving", logging.INFO),
        ("uvicorn", logging.ERROR),
        ("asyncio", logging.ERROR),
    ):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
    return handler
