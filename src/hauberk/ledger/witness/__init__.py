"""Witnesses: they see one head of a log after the other, and cosign only what continues the last.

    protocol      what is sent, and what is answered; both sides read this page and share nothing else
    heads         the newest head of each log, on disk before a cosignature leaves
    judging       the witness: takes a request, answers with cosignatures or with what is wrong
    service       the same behind HTTP, with bounds on size, time and number
    keeping       a witness' folder: its keys, its heads
    submitting    the log's side: asks witnesses and checks what they answer
    visiting      the witness' side without a server: it goes and looks at a log itself

A quorum of witnesses that do not collude makes it impossible to show two histories to two readers.

Source: c2sp.org/tlog-witness.
"""

from __future__ import annotations

from hauberk.ledger.witness.judging import Witness
from hauberk.ledger.witness.keeping import open_witness
from hauberk.ledger.witness.submitting import Round, ask_witness, cosign, cosign_and_keep, witnesses_of
from hauberk.ledger.witness.visiting import visit

__all__ = [
    "Round",
    "Witness",
    "ask_witness",
    "cosign",
    "cosign_and_keep",
    "open_witness",
    "visit",
    "witnesses_of",
]
