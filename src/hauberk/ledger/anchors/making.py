"""Tying the newest head of a log to whatever was asked for, and keeping the receipts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hauberk.core.errors import ConfigError, EnvironmentFailure
from hauberk.ledger.anchors import evm, ots, receipts, rfc3161
from hauberk.ledger.reading import Reader


def anchor(
    log: Reader,
    folder: str | Path,
    *,
    evm_url: str | None = None,
    payer: str | Path | None = None,
    rfc3161_url: str | None = None,
    ots_url: str | None = None,
) -> Iterator[Path]:
    """Anchor the newest head in each of the ways that are asked for, one after the other.

    Args:
        folder: where receipts go.
        evm_url: a node of the chain; ``payer`` is the file of the key that pays.
        rfc3161_url: a time-stamping authority.
        ots_url: an OpenTimestamps calendar.

    Returns:
        The receipts' files, each as soon as it is written: what was anchored before something fails is kept.

    Raises:
        ConfigError: nothing is asked for.
        DependencyMissing, EnvironmentFailure: as ``evm.send``, ``rfc3161.request`` and ``ots.submit``.
    """
    if evm_url is None and rfc3161_url is None and ots_url is None:
        raise ConfigError("nothing to anchor the head in", hint="--evm URL, --rfc3161 URL or --ots URL")
    if payer is not None and evm_url is None:
        raise ConfigError("somebody who pays is of use with a chain alone", hint="--evm URL")
    head = receipts.bare(log.head())
    if evm_url is not None:
        sent = evm.send(evm_url, head, key_file=payer)
        try:
            yield receipts.save(folder, head, "evm", receipts.to_json(sent))
        except EnvironmentFailure as error:  # what was paid for must not be lost
            raise EnvironmentFailure(str(error), hint=f"it is in transaction {sent['transaction']}") from error
    if rfc3161_url is not None:
        yield receipts.save(folder, head, "rfc3161", rfc3161.request(rfc3161_url, head))
    if ots_url is not None:
        yield receipts.save(folder, head, "ots", ots.submit(ots_url, head))
