"""Pages that renew themselves.

A page that is open asks for itself again every few seconds. A line in the trail for each time would bury what
people did; none at all would let somebody read along unseen. So whoever opens a page is written down, and gets
a ticket with which this page of this session is renewed for an hour without a further line. Each renewal is
decided anew all the same.
"""

from __future__ import annotations

import hashlib
import hmac

HEADER = "x-hauberk-live"
LASTS_S = 3600


def ticket(key: bytes, session: str, path: str, now_s: int) -> str:
    """For a page that was opened and written down now."""
    return f"{now_s}.{_mac(key, session, path, now_s)}"


def holds(given: str, key: bytes, session: str, path: str, now_s: int) -> bool:
    """Whether a page may be renewed with it."""
    begun, _, mac = given.partition(".")
    if not (begun.isascii() and begun.isdigit() and len(begun) <= 12):
        return False
    issued = int(begun)
    right = hmac.compare_digest(mac.encode("utf-8", "replace"), _mac(key, session, path, issued).encode())
    return right and issued <= now_s < issued + LASTS_S


def _mac(key: bytes, session: str, path: str, now_s: int) -> str:
    return hmac.new(key, f"{session}\n{path}\n{now_s}".encode(), hashlib.sha256).hexdigest()
