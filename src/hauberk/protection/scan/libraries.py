"""What two well-kept scanners say of a pickle, where they are installed: picklescan and fickling.

Both keep lists of what is dangerous; the list of what is allowed, in ``allowed.py``, is what decides. What they
find beyond it is added. They read a pickle whole, so large ones are left to the list alone.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
from importlib import metadata
from typing import Any

from hauberk.protection.scan.job import Job
from hauberk.protection.scan.window import Window

NAMES = ("picklescan", "fickling")


def versions(wanted: bool) -> dict[str, str | None]:
    """Each scanner's version; None where it is not installed or not wanted."""
    found: dict[str, str | None] = dict.fromkeys(NAMES)
    for name in NAMES if wanted else ():
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def look(source: Window, where: str, job: Job) -> None:
    """Both scanners on one stream of pickles."""
    if source.size > job.limits.library_bytes:
        return
    data = source.at(0, source.size)
    for name, ask in (("picklescan", _picklescan), ("fickling", _fickling)):
        try:
            module = importlib.import_module(_MODULES[name])
        except ImportError:
            continue
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # fickling prints what it thinks
                messages = ask(module, data)
        except Exception as error:  # noqa: BLE001 (a scanner that gives up takes nothing back)
            logging.getLogger(__name__).debug("%s gave up on %s: %s", name, where, error)
            continue
        for message in messages:
            if not job.confirm(where, message if name == "picklescan" else None, name):
                job.find(f"pickle/{name}", where, message, by=name)


_MODULES = {"picklescan": "picklescan.scanner", "fickling": "fickling.analysis"}


def _picklescan(module: Any, data: bytes) -> list[str]:
    logging.getLogger("picklescan").setLevel(logging.CRITICAL)  # it logs what it finds; we report it
    result = module.scan_pickle_bytes(io.BytesIO(data), "pickle")
    dangerous = [one for one in result.globals if one.safety == module.SafetyLevel.Dangerous]
    return [f"names {one.module}.{one.name}" for one in dangerous]


def _fickling(module: Any, data: bytes) -> list[str]:
    fickle = importlib.import_module("fickling.fickle")
    found = []
    for pickled in fickle.StackedPickle.load(io.BytesIO(data)):
        for one in module.check_safety(pickled).results:
            if one.severity >= module.Severity.LIKELY_OVERTLY_MALICIOUS:
                found.append(" ".join(str(one).split())[:200])
    return found
