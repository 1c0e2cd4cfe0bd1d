"""Every form of lock file: the same three packages, as each tool writes them."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from hauberk.assurance.environment.locks import lock_files, read_lock
from hauberk.assurance.environment.packages import installed
from hauberk.core.errors import DataError

A, B = "a" * 64, "b" * 64

FILES = {
    "requirements.txt": f"""
        # a comment
        --index-url https://packages.example/simple
        Torch==2.5.1+cpu \\
            --hash=sha256:{A} \\
            --hash=sha256:{B}   # two files
        numpy>=1.26 ; python_version >= "3.9"
        PIL_low[extra]===10.0 --hash=sha512:00
        -e .
        ./wheels/own.whl
    """,
    "poetry.lock": f"""
        [[package]]
        name = "torch"
        version = "2.5.1+cpu"
        files = [{{file = "torch.whl", hash = "sha256:{A}"}}, {{file = "t.tar.gz", hash = "sha256:{B}"}}]
        [[package]]
        name = "PIL_low"
        version = "10.0"
        [metadata]
        content-hash = "x"
    """,
    "uv.lock": f"""
        version = 1
        [[package]]
        name = "own"
        version = "0.1"
        source = {{ editable = "." }}
        [[package]]
        name = "torch"
        version = "2.5.1+cpu"
        source = {{ registry = "https://packages.example/simple" }}
        sdist = {{ url = "https://x/t.tar.gz", hash = "sha256:{A}" }}
        wheels = [{{ url = "https://x/t.whl", hash = "sha256:{B}" }}]
        [[package]]
        name = "pil-low"
        version = "10.0"
        source = {{ registry = "https://packages.example/simple" }}
    """,
    "pylock.toml": f"""
        lock-version = "1.0"
        [[packages]]
        name = "torch"
        version = "2.5.1+cpu"
        [[packages.wheels]]
        name = "t.whl"
        hashes = {{ sha256 = "{A}" }}
        [[packages.wheels]]
        name = "t2.whl"
        hashes = {{ sha256 = "{B}" }}
        [[packages]]
        name = "own"
        directory = {{ path = "." }}
        [[packages]]
        name = "pil-low"
        version = "10.0"
    """,
    "Pipfile.lock": f"""
        {{"_meta": {{}}, "default": {{"torch":
         {{"version": "==2.5.1+cpu", "hashes": ["sha256:{A}", "sha256:{B}"]}}}},
         "develop": {{"PIL_low": {{"version": "==10.0"}}}}}}
    """,
}


def written(folder: Path, name: str, text: str | None = None) -> Path:
    path = folder / name
    lines = (FILES[name] if text is None else text).splitlines()
    path.write_text("\n".join(line[8:] for line in lines if line.strip()), "utf-8")
    return path


@pytest.mark.parametrize("name", FILES)
def test_every_form_says_the_same(name: str, tmp_path: Path) -> None:
    found = {one.name: one for one in read_lock(written(tmp_path, name))}
    assert found["torch"].version == "2.5.1+cpu"
    assert set(found["torch"].hashes) == {A, B}
    assert found["torch"].neighbour
    assert found["pil-low"].version == "10.0"
    assert found["pil-low"].hashes == ()
    assert "own" not in found
    assert all(one.source == str(tmp_path / name) for one in found.values())


def test_what_is_no_single_version_keeps_what_is_asked(tmp_path: Path) -> None:
    numpy = next(one for one in read_lock(written(tmp_path, "requirements.txt")) if one.name == "numpy")
    assert (numpy.version, numpy.asked, numpy.line) == ("", ">=1.26", 6)
    assert numpy.parsed is None


def test_what_pip_prints_is_read_back(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--all"], capture_output=True, text=True, check=True
    ).stdout
    path = tmp_path / "freeze.txt"
    path.write_text(said, "utf-8")
    found = {one.name: one.version for one in read_lock(path)}
    assert found["numpy"] == metadata.version("numpy")
    assert len(found) > 50


def test_installed_are_those_that_python_would_import() -> None:
    found = {one.name: one.version for one in installed()}
    assert found["torch"] == metadata.version("torch")
    assert found["scikit-learn"] == metadata.version("scikit-learn")
    assert all(one.source == "installed" for one in installed())


def test_of_two_in_the_path_the_first_counts(tmp_path: Path) -> None:
    for folder, version in (("first", "1.0"), ("second", "2.0")):
        info = tmp_path / folder / f"Some_Thing-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: Some_Thing\nVersion: {version}\n")
    (tmp_path / "first" / "broken-1.dist-info").mkdir()
    found = installed([tmp_path / "first", tmp_path / "second"])
    assert [(one.name, one.version) for one in found] == [("some-thing", "1.0")]


def test_lists_include_others_and_no_list_twice(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r more.txt\n-c limits.txt\ntorch==2.6.0\n")
    (tmp_path / "more.txt").write_text("--requirement requirements.txt\nonnx==1.17\n")
    (tmp_path / "limits.txt").write_text("numpy==2.0\n")
    assert [one.name for one in read_lock(tmp_path / "requirements.txt")] == ["onnx", "numpy", "torch"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("torch=2.6.0", "requirements.txt:1: 'torch=2.6.0' is no requirement"),
        ("-r https://example.org/list.txt", "cannot be read"),
        ("-r nothing.txt", "no list of requirements at"),
        ("torch==2.6.0 numpy==2.0", "is no requirement"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(line)
    with pytest.raises(DataError, match=message):
        read_lock(tmp_path / "requirements.txt")


def test_a_project_asks(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "pyproject.toml",
        """
        [build-system]
        requires = ["setuptools==80.1"]
        [project]
        name = "My_Project"
        dependencies = ["torch>=2.6", "numpy==2.4.6"]
        [project.optional-dependencies]
        all = ["my-project[x]", "onnx @ https://example.org/onnx.whl"]
        [dependency-groups]
        test = ["pytest>=8", {include-group = "other"}]
        other = ["ruff"]
        [tool.poetry.dependencies]
        python = "^3.11"
        keras = "^3.6"
        ray = {version = "==2.60.0"}
        [tool.poetry.group.dev.dependencies]
        mypy = "1.11"
        """,
    )
    found = {one.name: (one.version, one.asked) for one in read_lock(path)}
    assert found == {
        "setuptools": ("80.1", ""),
        "torch": ("", ">=2.6"),
        "numpy": ("2.4.6", ""),
        "onnx": ("", "@ https://example.org/onnx.whl"),
        "pytest": ("", ">=8"),
        "ruff": ("", "any version"),
        "keras": ("", "^3.6"),
        "ray": ("2.60.0", ""),
        "mypy": ("", "1.11"),  # Poetry means a range by it
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("poetry.lock", "[[package]]\nversion = '1'"),
        ("poetry.lock", "package = 3"),
        ("uv.lock", "[[package]\nname ="),
        ("uv.lock", "[[package]]\nname = 'x'\nversion = 1"),
        ("Pipfile.lock", "[]"),
        ("Pipfile.lock", '{"default": []}'),
        ("Pipfile.lock", "{"),
        ("pyproject.toml", "project = 'x'"),
        ("pyproject.toml", "[project]\ndependencies = 'torch'"),
        ("pyproject.toml", "[project]\ndependencies = ['=?']"),
        ("pylock.toml", "[[packages]]"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError):
        read_lock(tmp_path / name)


def test_files_are_found_where_they_lie_and_not_among_what_is_installed(tmp_path: Path) -> None:
    names = [
        "requirements.txt",
        "requirements-dev.txt",
        "a/dev-requirements.txt",
        "a/uv.lock",
        "constraints.txt",
    ]
    others = [".venv/requirements.txt", "node_modules/x/requirements.txt", "notes.txt", "a/Requirements.md"]
    for name in [*names, *others]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "pyproject.toml").symlink_to(tmp_path / "notes.txt")
    assert lock_files(tmp_path) == sorted(tmp_path / name for name in names)


def test_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no lock file that is known"):
        read_lock(tmp_path / "Cargo.lock")
