"""Requests that schemathesis makes from the OpenAPI document: no error of the server, nothing undocumented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from model_servers import Server

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


def test_schemathesis_finds_nothing(absent: Callable[[str, str], None], server: Server, tmp_path: Path) -> None:
    if find_spec("schemathesis") is None:
        absent("schemathesis", "pip install schemathesis")
    said = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{server.port}/openapi.json",
            "--checks", ",".join(CHECKS), "--max-examples", "5", "--seed", "7",
            "--phases", "examples,coverage,fuzzing",
            "--generation-database", "none", "--no-color",
        ],
        capture_output=True, text=True, timeout=300, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-1000:]
    generated = re.search(r"(\d+) generated", said.stdout)
    assert generated is not None, said.stdout[-1500:]
    assert int(generated[1]) > 100
