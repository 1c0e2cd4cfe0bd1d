"""The log's side: hand a head to witnesses, prove that it continues what they saw, check what they answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus

from hauberk.core.errors import ConfigError, EnvironmentFailure, HauberkError, IntegrityError
from hauberk.crypto.notes import Note, Signature, Verifier, parse_decimal, parse_signatures
from hauberk.ledger import merkle, web
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.policy import Policy
from hauberk.ledger.reading import Reader
from hauberk.ledger.store.log import Log
from hauberk.ledger.witness.protocol import PATH, SIZE_KIND, Request

_ATTEMPTS = 4  # somebody else may submit between two of ours
_KIND = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Round:
    """What came of asking several witnesses about one head.

    Args:
        checkpoint: the head with all cosignatures that hold.
        new: those of this round.
        failed: the errors of the others, by address.
    """

    checkpoint: bytes
    new: tuple[Signature, ...]
    failed: Mapping[str, HauberkError]


def witnesses_of(policy: Policy) -> dict[str, list[Verifier]]:
    """The witnesses of a policy that have an address, by it; one may have several keys.

    Raises:
        ConfigError: none has.
    """
    found: dict[str, list[Verifier]] = {}
    for party in policy.witnesses.values():
        if party.url is not None:
            found.setdefault(party.url, []).append(party.verifier)
    if not found:
        raise ConfigError("no witness in the policy has an address", hint="witness NAME VKEY URL")
    return found


def cosign(
    log: Reader, witnesses: Mapping[str, Sequence[Verifier]], *, timeout_s: float = web.TIMEOUT_S
) -> Round:
    """Ask all witnesses at once about the log's newest head.

    Args:
        witnesses: the public keys of each, by address (its submission prefix).
        timeout_s: seconds for each answer.

    Returns:
        The round; one witness that fails does not hinder the others. Whether the cosignatures are enough is for
        a policy to say.
    """
    checkpoint = log.head()
    one_at_a_time = threading.Lock()  # a log's tiles are kept for one reader

    def hashes(level: int, index: int) -> bytes:
        with one_at_a_time:
            return log.hashes(level, index)

    failed: dict[str, HauberkError] = {}
    new: list[Signature] = []
    with ThreadPoolExecutor(max_workers=max(1, len(witnesses))) as pool:
        asked = {
            url: pool.submit(ask_witness, url, hashes, checkpoint, keys, timeout_s=timeout_s)
            for url, keys in witnesses.items()
        }
        for url, future in asked.items():
            try:
                new += future.result()
            except HauberkError as error:
                failed[url] = error
    return Round(bytes(Note.parse(checkpoint).add(*new)), tuple(new), failed)


def cosign_and_keep(log: Log, policy: Policy, *, timeout_s: float = web.TIMEOUT_S) -> Round:
    """Ask the witnesses of a policy, and store what they sign beside the log.

    Raises:
        ConfigError: no witness of the policy has an address.
    """
    done = cosign(log, witnesses_of(policy), timeout_s=timeout_s)
    if done.new:
        log.add_cosignatures(done.checkpoint, done.new)
    return done


def ask_witness(
    url: str,
    hashes: merkle.Hashes,
    checkpoint: bytes,
    keys: Sequence[Verifier],
    *,
    timeout_s: float = web.TIMEOUT_S,
) -> tuple[Signature, ...]:
    """The cosignatures of one witness on a head of a log.

    Args:
        hashes: of the log's complete subtrees, for proofs.
        keys: its public keys; what others signed is left out.

    Raises:
        EnvironmentFailure: it does not answer, or does not know this log.
        IntegrityError: it saw a head that this one does not continue, or its cosignature does not hold.

    Cost: two requests, the first of which asks what it saw last.
    """
    head = peek(checkpoint)
    old = 0
    for _ in range(_ATTEMPTS):
        proof = merkle.consistency(old, head.size, hashes)
        body = bytes(Request(old, proof, checkpoint))
        answer = web.post(web.check_url(url, "a witness") + PATH, body, kind=_KIND, timeout_s=timeout_s)
        if answer.status == HTTPStatus.OK:
            return _checked(url, checkpoint, answer.body, keys)
        if answer.status != HTTPStatus.CONFLICT or answer.kind.partition(";")[0].strip() != SIZE_KIND:
            raise _refusal(url, answer)
        seen = parse_decimal(answer.body.decode("ascii", "replace").removesuffix("\n"), what="the size seen")
        if seen > head.size or seen == old:
            raise IntegrityError(
                f"the witness at {web.shown(url)} has cosigned another history of {head.origin}: "
                f"size {seen}, and this head has {head.size}",
                hint="a log that was brought back from an old copy looks like this, and so does a forked one",
            )
        old = seen
    raise EnvironmentFailure(
        f"the witness at {web.shown(url)} is busy with other heads of {head.origin}", hint="try again"
    )


def _checked(url: str, checkpoint: bytes, body: bytes, keys: Sequence[Verifier]) -> tuple[Signature, ...]:
    """The lines that are signed by the witness' known keys, all of which must hold."""
    text = Note.parse(checkpoint).text
    found = []
    for signature in parse_signatures(body):
        for key in keys:
            if key.made(signature):
                key.verify(text, signature.data)
                found.append(signature)
    if not found:
        raise IntegrityError(
            f"the witness at {web.shown(url)} does not sign with the keys that are known of it"
        )
    return tuple(found)


def _refusal(url: str, answer: web.Answer) -> HauberkError:
    reasons: dict[int, str] = {
        HTTPStatus.NOT_FOUND: "does not watch this log",
        HTTPStatus.FORBIDDEN: "knows this log by another key",
        HTTPStatus.UNPROCESSABLE_ENTITY: "finds that this head does not continue the last one that it saw",
    }
    told = f"the witness at {web.shown(url)} {reasons.get(answer.status, f'answers HTTP {answer.status}')}"
    refused = answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    return IntegrityError(told) if refused else EnvironmentFailure(told)
