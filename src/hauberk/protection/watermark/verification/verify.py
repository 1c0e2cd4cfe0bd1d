"""Verification of any kind of mark, and the evidence of it."""

from __future__ import annotations

import time

from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier
from hauberk.protection.watermark.commitment import Commitment
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import BlackBox, Fingerprint, Mark, WhiteBox
from hauberk.protection.watermark.verification.blackbox import Answers, read_patterns
from hauberk.protection.watermark.verification.fingerprint import read_places
from hauberk.protection.watermark.verification.reading import MAX_P, Reading
from hauberk.protection.watermark.verification.whitebox import read_bits


def verify(
    suspect: Classifier,
    key: MarkKey,
    mark: Mark | Commitment,
    data: Dataset | None = None,
    *,
    answers: Answers = "scores",
) -> Reading:
    """What a suspect says to a key.

    Args:
        mark: what to look for; a commitment, as ``commitment.read`` gives it, says so itself.
        data: the training split that the mark was made with; a white-box mark needs none.
        answers: what a suspect gives away to the questions of a black-box mark.

    Raises:
        ConfigError: a mark that needs data or its commitment, and was given none.
        UnsupportedModel: answers that are not numbers.

    Limits: without a commitment made before the quarrel, a small p-value shows only that the key fits, and keys
        can be tried by the million.
    """
    check_classifier(suspect)
    wanted = mark.mark if isinstance(mark, Commitment) else mark
    if isinstance(wanted, WhiteBox):
        return read_bits(suspect, key, wanted)
    if data is None:
        raise ConfigError(f"a {wanted.kind} mark is read with images", hint="say which data: --data NAME")
    if isinstance(wanted, BlackBox):
        return read_patterns(suspect, key, wanted, data, answers=answers)
    assert isinstance(wanted, Fingerprint)
    if not isinstance(mark, Commitment):
        raise ConfigError(
            "a fingerprint's places stand in its commitment", hint="--commitment FILE, as embed wrote it"
        )
    return read_places(suspect, key, wanted, mark.places, data)


def verification_record(
    suspect: Classifier,
    key: MarkKey,
    mark: Mark | Commitment,
    data: Dataset | None = None,
    *,
    answers: Answers = "scores",
    max_p: float = MAX_P,
    name: str = "suspect",
) -> Evidence:
    """``verify``, as evidence of kind ``watermark-verification``; ``result["found"]`` is the verdict.

    Raises:
        ConfigError: as ``verify``; ``max_p`` out of range, or out of reach for so small a mark.
    """
    if isinstance(max_p, bool) or not 0 < max_p < 1:
        raise ConfigError(f"max_p must lie in (0, 1), got {max_p!r}")
    started = time.perf_counter()
    reading = verify(suspect, key, mark, data, answers=answers)
    committed = mark if isinstance(mark, Commitment) else None
    wanted = mark.mark if isinstance(mark, Commitment) else mark
    last = suspect.evidence[-1:]
    return Evidence(
        kind="watermark-verification",
        subject={"name": name, "digest": suspect.digest},
        inputs={} if data is None else {"dataset": data.describe()},
        parameters={
            "kind": wanted.kind,
            "max_p": max_p,
            "answers": answers if isinstance(wanted, BlackBox) else None,
            "commitment": committed and committed.digest,
            "committed": committed and committed.created,
            "committed_model": committed and committed.model,
        },
        result={
            **reading.to_json(),
            "needed": reading.needed(max_p),
            "found": reading.found(max_p),
        },
        parents=tuple(one.digest for one in last),
        duration_s=round(time.perf_counter() - started, 3),
    )
