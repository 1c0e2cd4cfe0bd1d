"""The journal of a running evaluation: what each attack handed out, so that a stopped run picks up there.

It holds candidates, not verdicts that count: whoever resumes judges every candidate again. ``verdicts.jsonl``
beside them is for those who watch.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from hauberk.core.files import write_atomic


class Journal:
    """Kept pieces of one evaluation, in a folder of its own below ``folder``.

    Args:
        folder: may hold journals of several evaluations.
        key: digest of everything that names this one: a call that differs in anything starts afresh.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder / key.removeprefix("sha256:")[:20]
        self.folder.mkdir(parents=True, exist_ok=True)
        self._verdicts = self.folder / "verdicts.jsonl"
        self._verdicts.unlink(missing_ok=True)  # told again as the kept pieces are judged again

    def find(self, name: str, key: str) -> dict[str, Tensor] | None:
        """What was kept under a name, if it is the same work and whole."""
        path = self.folder / f"{name}.safetensors"
        if not path.exists():
            return None
        try:
            with safetensors.safe_open(path, framework="pt") as opened:
                if (opened.metadata() or {}).get("key") != key:
                    return None
                return {one: opened.get_tensor(one) for one in opened.keys()}  # noqa: SIM118 no mapping
        except (safetensors.SafetensorError, OSError):
            return None  # damaged: the work is done again

    def keep(self, name: str, key: str, tensors: dict[str, Tensor]) -> None:
        """Keep the outcome of a piece of work."""
        content = safetensors.torch.save(tensors, metadata={"key": key})
        write_atomic(self.folder / f"{name}.safetensors", content)

    def tell(self, verdict: dict[str, Any]) -> None:
        """A verdict as it falls, a JSON object a line."""
        with self._verdicts.open("a", encoding="utf-8") as out:
            out.write(json.dumps(verdict) + "\n")

    def remove(self) -> None:
        """The evaluation is done, and its evidence says more."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # others may be under way
            self.folder.parent.rmdir()
