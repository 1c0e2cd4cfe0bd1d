"""Time-based one-time passwords: what authenticator apps show.

Source: RFC 6238 and RFC 4226, with SHA-1, six digits and steps of 30 seconds, since most apps know nothing
else. HMAC-SHA-1 is not touched by the collisions of SHA-1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
SECRET_BYTES = 20
WINDOW = 1  # steps before and after, for clocks that differ


def code(secret: bytes | bytearray, step: int, *, digits: int = DIGITS, algorithm: str = "sha1") -> str:
    """The code of one time step."""
    mac = hmac.new(secret, step.to_bytes(8, "big"), getattr(hashlib, algorithm)).digest()
    at = mac[-1] & 15
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def step_at(seconds: float) -> int:
    """The time step of a POSIX time."""
    return int(seconds // STEP_S)


def matching_step(secret: bytes | bytearray, given: str, now_s: float, *, after: int) -> int | None:
    """The time step that a code belongs to, or None.

    Args:
        after: the last step that was used; this and all before it are refused, so that a code which somebody
            looked at over a shoulder is worth nothing, also when the clock is set back.

    Each step of the window is compared, in the same time whichever fits.
    """
    present = step_at(now_s)
    found = None
    for step in range(max(0, present - WINDOW), present + WINDOW + 1):
        if (
            hmac.compare_digest(code(secret, step).encode(), given.encode("utf-8", "surrogatepass"))
            and step > after
        ):
            found = step
    return found


def address(secret: bytes | bytearray, name: str, issuer: str = "Hauberk") -> str:
    """The ``otpauth://`` address that an app reads, mostly as a QR code; it holds the secret."""
    label = quote(f"{issuer}:{name}")
    query = urlencode(
        {
            "secret": base64.b32encode(secret).decode().rstrip("="),
            "issuer": issuer,
            "algorithm": "SHA1",
            "digits": DIGITS,
            "period": STEP_S,
        }
    )
    return f"otpauth://totp/{label}?{query}"
