"""The Containerfile by the rules of linters for such files, and its health check against a real server."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "Containerfile"
Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """Keyword and rest of each instruction, comments and continuations resolved."""
    lines = [line for line in FILE.read_text("utf-8").splitlines() if line.strip() and line[0] != "#"]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = [line.split(maxsplit=1) for line in joined.splitlines()]
    return [(one[0], " ".join(one[1].split())) for one in found]


def stages() -> list[list[Instruction]]:
    starts = [place for place, (word, _) in enumerate(instructions()) if word == "FROM"]
    edges = [*starts, len(instructions())]
    return [instructions()[first:last] for first, last in itertools.pairwise(edges)]


def test_what_linters_ask_of_it() -> None:
    everything, final = instructions(), stages()[-1]
    (base,) = [rest for word, rest in everything if word == "ARG" and rest.startswith("BASE=")]
    assert re.fullmatch(r"BASE=[a-z.]+/[a-z/]+:\d+\.\d+-[\w-]+", base)  # a tag that says what it is
    assert "latest" not in base
    known = {"ARG", "FROM", "ENV", "RUN", "WORKDIR", "COPY", "LABEL", "USER", "EXPOSE", "STOPSIGNAL"}
    assert {word for word, _ in everything} == known | {
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }  # no ADD, no MAINTAINER
    assert not [
        rest
        for word, rest in everything
        if word in ("ARG", "ENV") and re.search(r"(?i)secret|token|passw", rest)
    ]
    assert not [
        rest for word, rest in everything if word == "RUN" and re.search(r"\bsudo\b|curl|wget|\bcd\b", rest)
    ]
    assert all(rest.startswith("/") for word, rest in everything if word == "WORKDIR")
    for word in ("ENTRYPOINT", "CMD"):
        (rest,) = [rest for one, rest in final if one == word]
        assert isinstance(json.loads(rest), list)  # no shell between the signal and the server


def test_nobody_is_root_at_the_end() -> None:
    final = stages()[-1]
    words = [word for word, _ in final]
    (user,) = [rest for word, rest in final if word == "USER"]
    assert user == "10001:10001"  # a number, so that a cluster can see that it is not 0
    assert "RUN" not in words[words.index("USER") :]
    assert "COPY" not in words[words.index("USER") :]


def test_the_final_stage_holds_no_sources() -> None:
    copies = [rest for word, rest in stages()[-1] if word == "COPY"]
    assert copies == ["--from=build /opt/hauberk /opt/hauberk"]


def test_what_is_copied_is_there_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert ignored[0] == "*"
    allowed = {one[1:] for one in ignored if one.startswith("!")}
    copied = {source for word, rest in stages()[0] if word == "COPY" for source in shlex.split(rest)[:-1]}
    assert copied == allowed
    assert all((ROOT / one).exists() for one in copied)


def test_its_extras_exist() -> None:
    (extras,) = [rest for word, rest in stages()[0] if word == "ARG" and rest.startswith("EXTRAS=")]
    known = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(extras.removeprefix("EXTRAS=").split(",")) <= known.keys()


def health(url: str) -> int:
    (rest,) = [rest for word, rest in instructions() if word == "HEALTHCHECK"]
    command = json.loads(rest[rest.index("[") :])
    assert command[0] == "python3"
    said = subprocess.run(
        [sys.executable, *command[1:]],
        capture_output=True,
        timeout=60,
        env={**os.environ, "HAUBERK_HEALTH": url},
    )
    return said.returncode


def test_the_health_check_tells_ready_from_not(plain_package: Path, tmp_path: Path) -> None:
    """The server as the image runs it: its settings, no home, a working folder that cannot be written to."""
    pytest.importorskip("uvicorn")
    (settings,) = [rest for word, rest in stages()[-1] if word == "ENV"]
    own = dict(one.split("=", 1) for one in shlex.split(settings) if not one.startswith("PATH="))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = own["HAUBERK_HEALTH"].replace("8080", str(port))
    assert health(url) != 0
    work = tmp_path / "work"
    work.mkdir(mode=0o555)
    scratch = {name: value.replace("/tmp", str(tmp_path / "tmp")) for name, value in own.items()}
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    server = subprocess.Popen(
        [sys.executable, "-m", "hauberk", "serve", "--models", f"net={plain_package}", "--port", str(port)],
        cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **scratch, "HOME": "/nonexistent", "PYTHONPATH": path},
    )  # fmt: skip
    try:
        end = time.monotonic() + 60
        while health(url) != 0:
            assert server.poll() is None
            assert time.monotonic() < end
            time.sleep(0.2)
        server.terminate()  # the image's STOPSIGNAL
        assert server.wait(30) == 0
        assert health(url) != 0
    finally:
        server.kill()
        server.wait()
