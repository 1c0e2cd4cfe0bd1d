"""Who calls a server of a vault: by API key, by bearer token, or by the certificate that TLS has verified.

What is shown decides: whoever shows a key that is wrong is nobody, whatever his certificate says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hauberk.access.keys import PREFIX
from hauberk.access.tokens import Bearer, TokenVerifier, claimed_issuer
from hauberk.core.errors import EnvironmentFailure
from hauberk.serving.problems import Problem

if TYPE_CHECKING:
    from hauberk.access import Access, Caller, Circumstances
    from hauberk.serving.door import Ask
    from hauberk.serving.used_tokens import UsedTokens

_BEARER = b"bearer "


class Recogniser:
    """Asks a vault's access who somebody is.

    Args:
        issuers: whose tokens are believed; of each issuer one verifier.
        used: where tokens are remembered that are good once; None where they are good until they expire.
    """

    def __init__(
        self, access: Access, issuers: Sequence[TokenVerifier] = (), used: UsedTokens | None = None
    ) -> None:
        self._access, self._used = access, used
        self._issuers = {one.issuer: one for one in issuers}

    def caller(self, ask: Ask, where: Circumstances) -> Caller:
        """Whoever asks.

        Raises:
            Problem: 401 where he shows nothing, or more than one thing; 503 where his issuer is away.
            AccessDenied: what he shows is not valid; the trail says so.
        """
        shown = _shown(ask)
        if shown is None and ask.certificate is not None:
            return self._access.by_certificate(ask.certificate, where)
        text = _bearer(shown)
        if text is None:
            raise unknown()
        if text.startswith(PREFIX) or not self._issuers:
            return self._access.by_key(text, where)
        return self._by_token(text, where)

    def _by_token(self, text: str, where: Circumstances) -> Caller:
        verifier = self._issuers.get(claimed_issuer(text)) or next(iter(self._issuers.values()))
        try:
            return self._access.by_token(text, verifier, where, first=self._first)
        except EnvironmentFailure:
            raise Problem(
                503, "issuer-away", "the keys of the token's issuer cannot be had, so it cannot be checked"
            ) from None

    def _first(self, bearer: Bearer) -> bool:
        return self._used is None or self._used.first(bearer)


def api_key(ask: Ask) -> str | None:
    """What looks like an API key, or None."""
    text = _bearer(_shown(ask))
    return text if text is not None and text.startswith(PREFIX) else None


def _shown(ask: Ask) -> bytes | None:
    """What the header says; of two, either of which others might read, nothing that could be valid."""
    found = None
    for name, value in ask.headers:
        if name == b"authorization":
            if found is not None:
                return b""
            found = value
    return found


def _bearer(shown: bytes | None) -> str | None:
    if shown is None or shown[: len(_BEARER)].lower() != _BEARER:
        return None
    return shown[len(_BEARER) :].strip().decode("latin-1")


def unknown() -> Problem:
    """The same for everything by which somebody is not recognised."""
    return Problem(
        401,
        "unknown",
        "show who you are: Authorization: Bearer, with a valid API key or token",
        headers={"www-authenticate": "Bearer"},
    )
