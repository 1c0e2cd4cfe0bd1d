"""Asking a time-stamping authority (RFC 3161) to say when a checkpoint existed."""

from __future__ import annotations

from hauberk.core.errors import DependencyMissing, EnvironmentFailure, IntegrityError
from hauberk.ledger import web

_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"


def request(url: str, checkpoint: bytes) -> bytes:
    """The authority's answer, DER, as ``openssl ts`` keeps it in a ``.tsr`` file.

    It is looked at only so far as to know that it answers this question; ``rfc3161_checking`` decides its
    worth.

    Raises:
        DependencyMissing: no rfc3161-client here.
        EnvironmentFailure: nobody answers, or the authority refuses.
        IntegrityError: it answers another question.
    """
    try:
        from rfc3161_client import HashAlgorithm, PKIStatus, TimestampRequestBuilder, decode_timestamp_response
    except ImportError as error:
        raise DependencyMissing.extra("a time stamp after RFC 3161", "timestamp") from error
    url = web.check_url(url, "a time-stamping authority")
    asked = TimestampRequestBuilder().data(checkpoint).hash_algorithm(HashAlgorithm.SHA512)
    query = asked.nonce(nonce=True).cert_request(cert_request=True).build()
    answer = web.post(url, query.as_bytes(), kind=_QUERY, accept=_REPLY)
    try:
        if answer.status != 200:
            raise ValueError(f"HTTP {answer.status}")
        response = decode_timestamp_response(answer.body)
    except ValueError as error:
        raise EnvironmentFailure(
            f"{web.shown(url)} does not answer as a time-stamping authority: {error}"
        ) from error
    if response.status != PKIStatus.GRANTED:
        said = ", ".join(response.status_string) or f"status {response.status}"
        raise EnvironmentFailure(f"{web.shown(url)} refuses the time stamp: {said}")
    stamped = response.tst_info
    if (stamped.nonce, stamped.message_imprint.message) != (query.nonce, query.message_imprint.message):
        raise IntegrityError(f"{web.shown(url)} stamped something else than was sent")
    return answer.body
