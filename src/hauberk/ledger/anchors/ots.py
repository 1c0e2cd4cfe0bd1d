"""Asking an OpenTimestamps calendar to carry a checkpoint into Bitcoin, and later for the way there."""

from __future__ import annotations

import hashlib

from hauberk.core.errors import DataError, EnvironmentFailure
from hauberk.ledger import web
from hauberk.ledger.anchors import ots_format

_ACCEPT = "application/vnd.opentimestamps.v1"


def submit(url: str, checkpoint: bytes) -> bytes:
    """Hand the checkpoint's digest to a calendar.

    Returns:
        The ``.ots`` file. It is pending: the calendar promises a place in Bitcoin within hours, ``upgrade``
        asks for it.

    Raises:
        EnvironmentFailure: nobody answers there, or not as a calendar does.
    """
    url = web.check_url(url, "a calendar")
    digest = hashlib.sha256(checkpoint).digest()
    answer = web.post(f"{url}/digest", digest, kind="application/octet-stream", accept=_ACCEPT)
    return ots_format.write(_stamp(url, answer, digest))


def upgrade(url: str, data: bytes) -> bytes:
    """The same proof with what the calendar has learned since; as it was where that is nothing.

    Args:
        url: the calendar. Only what is pending there is asked for: an address that stands in a file is not
            called.
        data: the ``.ots`` file.

    Raises:
        DataError: not such a file, or nothing in it waits for this calendar.
        EnvironmentFailure: nobody answers there, or not as a calendar does.
    """
    url = web.check_url(url, "a calendar")
    stamp = ots_format.read(data)
    waiting = [
        (below, one)
        for below, one in stamp.walk()
        if one.kind == ots_format.PENDING and one.calendar.rstrip("/") == url
    ]
    if not waiting:
        raise DataError(f"nothing in this proof waits for {web.shown(url)}")
    for below, one in waiting:
        answer = web.get(f"{url}/timestamp/{below.message.hex()}", accept=_ACCEPT)
        if answer.status == 404:  # not yet
            continue
        found = _stamp(url, answer, below.message)
        if any(attestation.kind != ots_format.PENDING for _, attestation in found.walk()):
            below.attestations.remove(one)
            below.attestations += found.attestations
            below.steps += found.steps
    return ots_format.write(stamp)


def _stamp(url: str, answer: web.Answer, message: bytes) -> ots_format.Stamp:
    try:
        if answer.status != 200:
            raise DataError(f"HTTP {answer.status}")
        return ots_format.Stamp.parse(answer.body, message)
    except DataError as error:
        raise EnvironmentFailure(
            f"{web.shown(url)} does not answer as an OpenTimestamps calendar: {error}"
        ) from error
