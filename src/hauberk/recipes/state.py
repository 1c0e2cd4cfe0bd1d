"""What a run has finished, so that it can go on where it stopped: ``run.json`` in its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hauberk.core.canonical import digest, parse_json
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.files import machine_errors, write_atomic

SCHEMA = "hauberk-run/1"


class RunState:
    """Stages by name: the key of their inputs, and what they left.

    Raises:
        ConfigError: the folder holds something that is not a run, or is a file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "run.json"
        self._stages: dict[str, dict[str, Any]] = {}
        if self._path.exists():
            self._stages = self._read()
        elif folder.exists() and not folder.is_dir():
            raise ConfigError(f"{folder} is a file, not a folder", hint="choose another --out")
        elif folder.exists() and any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty and holds no earlier run", hint="choose another --out")
        with machine_errors("create", folder):
            folder.mkdir(parents=True, exist_ok=True)
        if not self._path.exists():
            self._write()  # a run stopped in its first stage is a run too

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            document = parse_json(self._path.read_bytes(), where=str(self._path))
            if document["schema"] != SCHEMA:
                raise KeyError("schema")
            stages: dict[str, dict[str, Any]] = document["stages"]
            if not all(entry.keys() == {"key", "left"} for entry in stages.values()):
                raise KeyError("stages")
        except (AttributeError, DataError, KeyError, TypeError):
            raise ConfigError(
                f"{self._path} is not the state of a run", hint="choose another --out, or delete the folder"
            ) from None
        return stages

    def done(self, stage: str, inputs: Any) -> Any:
        """What the stage left if it was finished with these inputs, else None."""
        entry = self._stages.get(stage)
        return entry["left"] if entry and entry["key"] == digest(inputs) else None

    def finish(self, stage: str, inputs: Any, left: Any) -> None:
        """Record a finished stage; on disk when this returns."""
        self._stages[stage] = {"key": digest(inputs), "left": left}
        self._write()

    def _write(self) -> None:
        text = json.dumps({"schema": SCHEMA, "stages": self._stages}, indent=1)
        write_atomic(self._path, text.encode())

    def checkpoint(self, stage: str) -> Path:
        """Where a stage in progress keeps its checkpoint."""
        return self.folder / ".checkpoints" / f"{stage}.safetensors"
