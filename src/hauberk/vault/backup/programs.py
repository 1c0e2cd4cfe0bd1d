"""Other people's programs: found, run to their end, and without secrets in their arguments."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.core.errors import DependencyMissing, EnvironmentFailure

_NOT_HANDED_ON = ("HAUBERK_", "RESTIC_")
"""Variables that a program does not need (an API key) or that would change what it does."""

_PLACES = ("/usr/local/bin", "/usr/bin")  # cron's search path may lack them


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Args:
        code: its exit code.
        out: standard output.
        said: lines of standard error, of JSON lines the message.
    """

    code: int
    out: str
    said: tuple[str, ...]

    def last_object(self, kind: str) -> dict[str, Any]:
        """The last JSON line whose ``message_type`` is ``kind``; empty where there is none."""
        found: dict[str, Any] = {}
        for line in self.out.splitlines():
            if line.startswith("{"):
                document = json.loads(line)
                if document.get("message_type") == kind:
                    found = document
        return found


def find(program: str, package: str) -> str:
    """Where a program lies.

    Raises:
        DependencyMissing: nowhere; ``package`` is Debian's package with it.
    """
    path = os.pathsep.join((os.environ.get("PATH", ""), *_PLACES))
    found = shutil.which(program, path=path)
    if found is None:
        raise DependencyMissing(f"{program} is not installed", hint=f"apt install {package}")
    return found


def run(
    program: str,
    arguments: Sequence[object],
    *,
    package: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program to its end; when this process is interrupted, it is ended too.

    Args:
        folder: where it runs.
        environment: what it finds besides this process' own variables.

    Raises:
        DependencyMissing: it is not installed.
        EnvironmentFailure: it cannot be started.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_HANDED_ON)}
    try:
        done = subprocess.run(  # noqa: S603 (a list of arguments: no shell reads them)
            [find(program, package), *map(str, arguments)],
            cwd=folder,
            env={**own, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise EnvironmentFailure(f"could not run {program}: {error.strerror}") from error
    lines = (line.strip() for line in done.stderr.splitlines())
    return Ended(done.returncode, done.stdout, tuple(_message(line) for line in lines if line))


def _message(line: str) -> str:
    if not line.startswith("{"):
        return line
    try:
        document = json.loads(line)
    except ValueError:
        return line
    error = document.get("error")
    inner = error.get("message") if isinstance(error, dict) else None
    return str(document.get("message") or inner or line)
