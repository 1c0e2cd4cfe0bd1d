"""Bearer tokens: OpenID Connect and OAuth 2 access tokens in JWT form, checked against the issuer's keys.

The key says which algorithm may be used, never the token: ``none``, a public key that is taken for a shared
secret, and a signature of another kind all fail the same way. Every claim that is needed must be there.

Source: RFC 7519, RFC 8725 (best practices), RFC 9068; signatures by PyJWT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hauberk.access.jwks import KeySet
from hauberk.core.clock import Clock, now
from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.core.settings import is_number, require_within

_MOST_BYTES = 16_384
_LONGEST_SUBJECT = 255  # OpenID Connect Core, section 2: ASCII, no longer than that
_TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
_REFUSED = "the token is not valid"


@dataclass(frozen=True)
class Bearer:
    """Whom a token speaks of.

    Args:
        issuer: with ``subject``, his name among all issuers.
        expires_s: POSIX seconds.
        id: the token's own name (``jti``) among those of its issuer, or None where it has none.
    """

    issuer: str
    subject: str
    expires_s: float
    id: str | None = None


@dataclass(frozen=True)
class TokenVerifier:
    """Whose tokens are believed, and for whom they must be meant.

    Args:
        issuer: exactly as it stands in ``iss``.
        audience: what ``aud`` must name: this vault, by the name under which the issuer knows it.
        keys: the issuer's.
        leeway_s: by how much clocks may differ, 0 to 300.
    """

    issuer: str
    audience: str
    keys: KeySet
    leeway_s: float = 60.0
    clock: Clock = now

    def __post_init__(self) -> None:
        require_within("leeway_s", self.leeway_s, "TokenVerifier", "[0, 300]")
        if not self.issuer or not self.audience:
            raise ConfigError(
                "TokenVerifier: say the issuer and the audience; a token for anybody is for nobody"
            )

    def verify(self, token: str) -> Bearer:
        """Whom the token speaks of.

        Raises:
            IntegrityError: it is not valid; always in the same words, and the cause in ``facts``.
            EnvironmentFailure: the issuer's keys cannot be had.
        """
        import jwt

        if len(token) > _MOST_BYTES:
            raise _refused("too long")
        try:
            header = jwt.get_unverified_header(token)
            self._check_header(header)
            name = header.get("kid")
            key = self.keys.find(name if isinstance(name, str) else None)
            if key is None:
                raise _refused("no key of this name")
            if header.get("alg") not in key.algorithms:
                raise _refused("an algorithm that is not this key's")
            needed = ["exp", "iss", "aud", "sub"]
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[header["alg"]],
                audience=self.audience,
                issuer=self.issuer,
                options={"require": needed, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise _refused(f"{type(error).__name__}") from None
        self._check_times(claims)
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not _plain(subject):
            raise _refused("no subject")
        name = claims.get("jti")
        known = isinstance(name, str) and 0 < len(name) <= _LONGEST_SUBJECT and _plain(name)
        return Bearer(self.issuer, subject, float(claims["exp"]), name if known else None)

    @staticmethod
    def _check_header(header: Mapping[str, Any]) -> None:
        kind = header.get("typ")
        if not isinstance(kind, str | None) or (kind and kind.lower()) not in _TYPES:
            raise _refused("another kind of token")
        if "crit" in header or "b64" in header:
            raise _refused("a header that must be understood and is not")

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        present = self.clock().timestamp()
        for name in ("exp", "nbf", "iat"):
            if name in claims and not is_number(claims[name]):
                raise _refused(f"{name} is no time")
        if present >= claims["exp"] + self.leeway_s:
            raise _refused("expired")
        for name in ("nbf", "iat"):
            if present < claims.get(name, present) - self.leeway_s:
                raise _refused("not valid yet")


def claimed_issuer(token: str) -> str:
    """Who the token says made it, unverified: to choose whose keys to ask. Empty where it does not say."""
    import jwt

    if len(token) > _MOST_BYTES:
        return ""
    try:
        found = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""


def _plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _refused(cause: str) -> IntegrityError:
    return IntegrityError(_REFUSED, cause=cause)
