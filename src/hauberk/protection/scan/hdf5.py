"""HDF5 files of Keras: the description of the layers, and links to other files.

The file is read with h5py, whose C library parses what an attacker wrote; nothing in Python runs for it.
"""

from __future__ import annotations

import importlib
from typing import Any

from hauberk.protection.scan import descriptions
from hauberk.protection.scan.job import Job, Part

_MOST = 100_000  # groups and datasets


def look(part: Part, job: Job) -> str:
    """Its kind is ``keras-h5`` where it describes a network, else ``hdf5``."""
    try:
        h5py = importlib.import_module("h5py")
    except ImportError:
        job.missing("an HDF5 file cannot be looked into without h5py", "pip install 'hauberk[keras]'")
        return "hdf5"
    part.source.seek(0)
    try:
        with h5py.File(part.source, "r") as file:
            _check_links(h5py, file, part, job)
            return _check_description(file, part, job)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, UnicodeDecodeError) as error:
        job.find("archive/malformed", part.where, f"not a whole HDF5 file: {str(error)[:160]}")
        return "hdf5"


def _check_description(file: Any, part: Part, job: Job) -> str:
    kind = "hdf5"
    for name in ("model_config", "training_config"):
        text = file.attrs.get(name)
        if text is None:
            continue
        where = part.inner(part.source, name).where
        document = descriptions.parse(text if isinstance(text, bytes) else str(text).encode(), where, job)
        if name == "model_config":
            kind = "keras-h5"
            descriptions.check_keras(document, where, job)
        else:
            descriptions.check_compiled(document, where, job)
    return kind


def _check_links(h5py: Any, file: Any, part: Part, job: Job) -> None:
    seen: set[int] = set()
    pending = [file]
    while pending and len(seen) < _MOST:
        group = pending.pop()
        place = h5py.h5o.get_info(group.id).addr
        if place in seen:  # groups can hold each other
            continue
        seen.add(place)
        for name in group:
            where = part.inner(part.source, f"{group.name.rstrip('/')}/{name}").where
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                job.find("hdf5/link", where, f"a link into the file {str(link.filename)[:120]!r}")
                continue
            if isinstance(link, h5py.SoftLink):
                continue  # another place in the same file, which is visited by its own name
            one = group[name]
            if isinstance(one, h5py.Group):
                pending.append(one)
            elif getattr(one, "external", None) or getattr(one, "is_virtual", False):
                job.find("hdf5/link", where, "takes its values from another file")
    if pending:
        job.find("archive/bomb", part.where, f"more than {_MOST} groups")
