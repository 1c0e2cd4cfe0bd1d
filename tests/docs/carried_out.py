"""Pages whose code is run: what stands in them, and what comes when a shell does as they say.

A page's ``console`` blocks (lines that begin with ``$ ``, and what they print) and ``python`` blocks are
carried out in one shell, in order, in an empty folder. After something was changed on purpose,

    python tests/docs/carried_out.py docs/tutorials/engineer.md

writes what is printed now into the page and its translations.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
_MARK = "@@ hauberk page @@"
_PORT = "8080"  # of a server in a page; the test takes a free one


@dataclass(frozen=True)
class Step:
    """One command with what the page says that it prints, or a whole block of Python."""

    language: str
    code: str
    shown: tuple[str, ...]


def steps(text: str) -> Iterator[Step]:
    """All steps of a page, in order."""
    for language, block in _BLOCK.findall(text):
        yield from _commands(block) if language == "console" else [Step(language, block, ())]


def _commands(block: str) -> Iterator[Step]:
    command: list[str] = []
    shown: list[str] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield Step("console", "\n".join(command), tuple(shown))
            command, shown = [line[2:]], []
        elif command and not shown and command[-1].endswith("\\"):
            command.append(line)
        elif (line == ">" or line.startswith("> ")) and command and not shown:  # what a shell asks on for
            command.append(line[2:])
        else:
            shown.append(line)
    if command:
        yield Step("console", "\n".join(command), tuple(shown))


@dataclass(frozen=True)
class Done:
    """What a step printed, and its exit code."""

    printed: tuple[str, ...]
    code: int


def carried_out(page: list[Step], folder: Path, *, timeout_s: float = 300) -> list[Done]:
    """Run a page in ``folder``, as its reader would; servers that it starts are stopped at the end."""
    work, bin_folder, home = (folder / name for name in ("work", "bin", "home"))
    for one in (work, bin_folder, home):
        one.mkdir()
    for name, words in (("hauberk", "-m hauberk"), ("python", "")):
        (bin_folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        (bin_folder / name).chmod(0o755)
    said = subprocess.run(
        ["bash", "-c", _script(page)], cwd=work, timeout=timeout_s, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("HAUBERK_")},
            "PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src"), "HOME": str(home),
            "OMP_NUM_THREADS": "1", "COLUMNS": "100", "PYTHONWARNINGS": "ignore", "LC_ALL": "C.UTF-8",
        },
    ).stdout  # fmt: skip
    found = re.split(rf"{_MARK}(\d+)\n", said.replace(f"{work}/", ""))
    return [
        Done(tuple(line.rstrip() for line in printed.splitlines()), int(code))
        for printed, code in zip(found[0::2], found[1::2], strict=False)
    ]


def _script(page: list[Step]) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    lines = ["trap 'kill $(jobs -p) 2>/dev/null' EXIT", "code=0"]
    for one in page:
        code = one.code.replace(_PORT, port)
        lines += ["(exit $code)", code if one.language == "console" else f"python - <<'PAGE'\n{code}PAGE"]
        lines += ["code=$?", f'echo "{_MARK}$code"']
    return "\n".join(lines)


def masked(line: str) -> str:
    """A line without what differs from run to run: figures, digests, keys, the widths of columns."""
    line = re.sub(r"\S{32,}", "*", line)
    line = re.sub(r"\b(?=[A-Za-z]*\d)[0-9A-Za-z]{8,}\b", "*", line)
    line = re.sub(r"\d+([.,:]\d+)*", "0", line)
    return re.sub(r"[\s─]+", " ", line).strip()


def missing(shown: tuple[str, ...], printed: tuple[str, ...]) -> str | None:
    """The first line of ``shown`` that does not come, in order, in what was printed; pages leave lines out."""
    left = iter(map(masked, printed))
    for line in shown:
        wanted = masked(line)
        if wanted and "(again)" not in line and not any(wanted == one for one in left):
            return line
    return None


def updated(text: str, done: list[Done]) -> str:
    """The page with what was really printed."""
    results = iter(done)

    def block(found: re.Match[str]) -> str:
        if found[1] == "python":
            next(results)
            return found[0]
        lines = []
        for one in _commands(found[2]):
            lines.append(_typed(one.code))
            printed = [line for line in next(results).printed if _worth_showing(line)]
            lines += "\n".join(printed).strip("\n").splitlines()
        body = "\n".join(lines)
        return f"```console\n{body}\n```"

    return _BLOCK.sub(block, text)


def _typed(code: str) -> str:
    """A command as its reader types it, with what the shell asks on for."""
    if "\\\n" in code:
        return f"$ {code}"
    first, *more = code.split("\n")
    return "\n".join([f"$ {first}", *(f"> {line}".rstrip() for line in more)])


def _worth_showing(line: str) -> bool:
    """Neither progress nor where evidence was put."""
    return not line.endswith(" …") and not line.startswith("evidence: ")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        with tempfile.TemporaryDirectory() as folder:
            done = carried_out(list(steps(path.read_text("utf-8"))), Path(folder))
        for one in (path, path.with_suffix(".zh.md")):
            if one.exists():
                one.write_text(updated(one.read_text("utf-8"), done), "utf-8")
