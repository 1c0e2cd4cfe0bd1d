"""The evidence of a de-identification: what was found and done, and what may be left. No value is in it."""

from __future__ import annotations

from typing import Any

from hauberk.core.evidence import Evidence, software_versions
from hauberk.core.intervals import wilson
from hauberk.privacy.text.deidentify import Deidentified
from hauberk.privacy.text.policy import Policy
from hauberk.privacy.text.treat.run import TreatedFile, input_digest, output_digest


def deidentified_evidence(done: Deidentified, *, duration_s: float = 0.0) -> Evidence:
    """Of a de-identification; words of own lists and patterns count, and are not quoted."""
    tally = done.tally
    return Evidence(
        kind="deidentification",
        subject={"name": done.out.name, "digest": output_digest(done.files)},
        inputs={"data": {"digest": input_digest(done.files), "files": len(done.files)}},
        parameters={
            "policy": _policy(done.policy),
            "policy_digest": done.policy.digest,
            "key": done.key,
        },
        result={
            "records": tally.records,
            "findings": tally.findings,
            "counts": tally.rows(),
            "columns": [
                {"column": column, "rule": rule, "cells": cells}
                for (column, rule), cells in sorted(tally.columns.items())
            ],
            "files": [_file(one) for one in done.files],
            "samples": [
                {
                    "type": one.type,
                    "masked": one.masked,
                    "file": file.name,
                    "line": one.place.line,
                }
                for file in done.files
                for kind in sorted(file.tally.samples)
                for one in file.tally.samples[kind]
            ][:_SAMPLES],
            "leak": leak(done),
            "tokens": done.tokens,
        },
        duration_s=duration_s,
        versions=software_versions(("hauberk", "numpy")),
    )


_SAMPLES = 60  # in all files together


def leak(done: Deidentified) -> dict[str, Any]:
    """What the second detector says of a share of the records, with 95 % intervals.

    ``left_share``: of the records it looked at after the treatment, those in which it still finds something.
    ``found_share``: of the places it found before, those that were treated.
    """
    tally = done.tally
    return {
        "looked": tally.looked,
        "share_looked": done.rate,
        "left": tally.left,
        "left_share": tally.left / tally.looked if tally.looked else None,
        "left_interval": list(wilson(tally.left, tally.looked)),
        "left_types": dict(sorted(tally.left_types.items())),
        "second": tally.second,
        "both": tally.both,
        "found_share": tally.both / tally.second if tally.second else None,
        "found_interval": list(wilson(tally.both, tally.second)),
    }


def _file(one: TreatedFile) -> dict[str, Any]:
    return {
        "name": one.name,
        "format": one.format,
        "encoding": one.encoding,
        "records": one.tally.records,
        "findings": one.tally.findings,
        "size_bytes": one.size_bytes,
        "digest_before": one.before,
        "digest": one.after,
    }


def _policy(policy: Policy) -> dict[str, Any]:
    """The policy as a file would say it; of own words only how many there are, since they may be people."""
    document = policy.to_json()
    detect = document["detect"]
    detect["words"] = {kind: len(one) for kind, one in detect["words"].items()}
    return document
