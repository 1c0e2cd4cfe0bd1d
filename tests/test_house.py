"""The house as a whole: what is loaded when, what is public, and that the documents' code runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hauberk

ROOT = Path(__file__).parent.parent


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def test_public_names() -> None:
    assert sorted(hauberk.__all__) == [
        "Classifier", "Evidence", "L0", "L1", "L2", "Linf", "ThreatModel", "attacks", "create", "datasets",
        "defenses", "evaluate", "harden", "load", "save", "train",
    ]  # fmt: skip
    for name in hauberk.__all__:
        assert getattr(hauberk, name) is not None
        assert name in dir(hauberk)
    with pytest.raises(AttributeError, match="no attribute 'evalute'"):
        hauberk.evalute  # noqa: B018


def test_importing_hauberk_loads_nothing_heavy() -> None:
    said = python("import hauberk, sys; print([m for m in ('torch', 'numpy', 'sklearn') if m in sys.modules])")
    assert said.stdout.strip() == "[]", said.stderr


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["train", "--help"], ["evaluate", "--help"], ["report", "--help"]]
)
def test_help_starts_without_torch(arguments: list[str]) -> None:
    said = python(
        "import sys\nfrom hauberk.cli.app import run\n"
        f"code = run({arguments!r})\nassert 'torch' not in sys.modules\nsys.exit(code)"
    )
    assert said.returncode == 0, said.stderr


def test_all_attacks_load_no_server_nor_plots() -> None:
    said = python(
        "import hauberk, sys\nhauberk.attacks.PGD, hauberk.evaluate, hauberk.harden\n"
        "heavy = ('ray', 'keras', 'onnx', 'matplotlib', 'fastapi', 'playwright')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert said.stdout.strip() == "[]", said.stderr


def code_blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text("utf-8"), flags=re.DOTALL)


READMES = ["README.md", "README.zh-CN.md"]


@pytest.mark.parametrize("name", READMES)
def test_readme_is_short(name: str) -> None:
    assert len((ROOT / name).read_text("utf-8").splitlines()) <= 120


@pytest.mark.parametrize("name", [READMES[0], pytest.param(READMES[1], marks=pytest.mark.slow)])
def test_readme_python_runs(name: str, tmp_path: Path, plain_package: Path) -> None:
    """The blocks run in order, in a folder that looks as the quickstart leaves it."""
    import shutil

    shutil.copytree(plain_package, tmp_path / "runs" / "quickstart" / "undefended")
    blocks = code_blocks(ROOT / name, "python")
    assert blocks
    code = "import torch; torch.set_num_threads(1)\n" + "\n".join(blocks).replace("epochs=30", "epochs=1")
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "worst case" in said.stdout


@pytest.mark.parametrize(
    "name", [*READMES, *sorted(str(one.relative_to(ROOT)) for one in (ROOT / "docs").rglob("*.md"))]
)
def test_commands_in_documents_exist(name: str) -> None:
    """Every `hauberk …` line parses: its verb and its options exist."""
    import click

    from hauberk.cli.app import group

    lines = [
        line.strip()
        for block in code_blocks(ROOT / name, "(?:console|sh|bash)")
        for line in block.replace("\\\n", " ").splitlines()
        if re.match(r"(\$ )?(\.venv/bin/)?hauberk ", line.strip())
    ]
    assert lines or name not in READMES
    for line in lines:
        words = line.removeprefix("$ ").split(" #")[0].split()[1:]
        command: click.Command | None = group
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None, line
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0] in known, f"{word} in: {line}"


def test_readmes_show_the_same_commands() -> None:
    english, chinese = (code_blocks(ROOT / name, "console") for name in READMES)
    commands = [
        [line for block in blocks for line in block.splitlines() if line.startswith("$")]
        for blocks in (english, chinese)
    ]
    assert commands[0] == commands[1]


def test_links_in_documents_lead_somewhere() -> None:
    for path in [
        ROOT / "README.md",
        ROOT / "README.zh-CN.md",
        *ROOT.glob("docs/**/*.md"),
        ROOT / "CONTRIBUTING.md",
    ]:
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text("utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{target} in {path.name}"


def test_nothing_large_is_tracked() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        assert not path.exists() or path.stat().st_size <= 1_000_000, name
        assert path.suffix not in (".safetensors", ".pt", ".pth", ".h5", ".keras", ".onnx"), name
