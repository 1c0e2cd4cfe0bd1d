"""Bringing a foreign model in: looked at first, read afterwards, and both recorded.

``models`` stands below ``protection`` and cannot ask it, so the step that reads the file is handed in; what it
read must be the very bytes that were looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hauberk.core.errors import IntegrityError
from hauberk.core.evidence import Evidence, software_versions
from hauberk.protection.scan.finding import Scan
from hauberk.protection.scan.job import Limits
from hauberk.protection.scan.scanning import refuse, scan

if TYPE_CHECKING:
    from hauberk.models.importing import ImportedModel


def import_scanned(
    path: str | Path, bring_in: Callable[[Path], ImportedModel], *, limits: Limits | None = None
) -> ImportedModel:
    """Scan a file, and bring it in where the scan is clean.

    Args:
        bring_in: reads the file, such as ``hauberk.models.importing.import_model``.

    Returns:
        the import, with the scan as the parent of its evidence.

    Raises:
        IntegrityError: the scan found something, or the file was changed after it.
        EnvironmentFailure: something could not be looked at.
        HauberkError: whatever ``bring_in`` raises.
    """
    path = Path(path)
    if not path.is_file():
        return bring_in(path)  # which says what is wrong with the path
    started = time.perf_counter()
    found = scan(path, limits=limits)
    duration = time.perf_counter() - started
    refuse(found)
    imported = bring_in(path)
    if imported.evidence.parameters["file_digest"] != found.files[0].digest:
        raise IntegrityError(f"{path} was changed between the scan and the import")
    record = _evidence(found, duration)
    evidence = replace(imported.evidence, parents=(record.digest, *imported.evidence.parents))
    imported.classifier.evidence = (record, *imported.classifier.evidence[:-1], evidence)
    return replace(imported, evidence=evidence)


def _evidence(found: Scan, duration: float) -> Evidence:
    return Evidence(
        kind="scan",
        subject={"name": Path(found.path).name, "digest": None},
        inputs={"files": [asdict(one) for one in found.files]},
        parameters={"scanners": dict(found.scanners)},
        result={
            "clean": found.clean,
            "counts": found.counts,
            "findings": [one.to_json() for one in found.findings],
        },
        duration_s=duration,
        versions=software_versions(("hauberk",)),
    )
