"""Whether this machine's clock is right: what the kernel says, and what others say that the vault talks to
anyway."""

from __future__ import annotations

import ctypes
import os

from hauberk.vault.doctor.finding import Finding

_WHY = "API keys, tokens, certificates and one-time codes expire by it, and the ledger's heads carry it"
_NOT_SYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
_TIMEX_BYTES = 512  # more than the kernel's struct timex
WARN_S, FAIL_S = 2.0, 30.0  # one-time codes last 30 s


def kernel() -> Finding:
    """Whether something keeps the clock in step, as the kernel knows it (adjtimex, which changes nothing
    here)."""
    adjtimex = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
    todo = "run systemd-timesyncd, chrony or ntpd"
    if adjtimex is None:
        return Finding(
            "warn", "clock", "this machine", "it does not say whether it is kept in step", _WHY, todo
        )
    state = adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if state == _NOT_SYNCHRONISED or state < 0:
        said = "nothing keeps it in step" if state >= 0 else os.strerror(ctypes.get_errno())
        return Finding("warn", "clock", "this machine", said, _WHY, todo)
    return Finding("ok", "clock", "this machine", "kept in step", _WHY)


def compare(theirs: float, before: float, after: float, place: str, *, exact_s: float = 0.0) -> Finding:
    """How far another clock is from this one.

    Args:
        theirs: its POSIX time.
        before, after: ours when it was asked and when it had answered.
        exact_s: how coarse its answer is.
    """
    off = max(before - theirs - exact_s, theirs - after, 0.0)
    found = f"{off:.1f} s from this machine's" if off else "agrees with this machine's"
    if off < WARN_S:
        return Finding("ok", "clock", place, found, _WHY)
    todo = "set both clocks by the same time servers"
    return Finding("fail" if off >= FAIL_S else "warn", "clock", place, found, _WHY, todo)
