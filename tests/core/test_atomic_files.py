"""Files and folders are whole or not there, whatever fails at whatever moment."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hauberk.core.errors import AccessDenied, ConfigError, DataError, EnvironmentFailure
from hauberk.core.files import directory_aside, read_bytes, refuse_overwrite, write_atomic

Failure = BaseException


def full_disk(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupted(*_: object, **__: object) -> Any:
    raise KeyboardInterrupt


def tree(folder: Path) -> dict[str, bytes]:
    """Everything below a folder, hidden files too."""
    return {
        str(one.relative_to(folder)): one.read_bytes() if one.is_file() else b"<folder>"
        for one in folder.rglob("*")
    }


def failing_fdopen(failure: Callable[..., Any]) -> Callable[..., Any]:
    real = os.fdopen

    def opened(*args: Any, **kwargs: Any) -> Any:
        file = real(*args, **kwargs)

        class Broken:
            def __enter__(self) -> Broken:
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            write = staticmethod(failure)

        return Broken()

    return opened


def nth_call(real: Callable[..., Any], number: int, failure: Callable[..., Any]) -> Callable[..., Any]:
    """``real``, but call ``number`` (from 0) fails."""
    calls = iter(range(1_000_000))

    def function(*args: Any, **kwargs: Any) -> Any:
        return (failure if next(calls) == number else real)(*args, **kwargs)

    return function


def break_write(monkeypatch: pytest.MonkeyPatch, where: str, failure: Callable[..., Any]) -> None:
    if where == "write":
        monkeypatch.setattr(os, "fdopen", failing_fdopen(failure))
    else:
        monkeypatch.setattr(os, where, failure)


class TestWriteAtomic:
    def test_new_content_is_there_with_ordinary_rights(self, tmp_path: Path) -> None:
        target = tmp_path / "deep" / "er" / "file.json"
        assert write_atomic(target, b"new") == target
        assert target.read_bytes() == b"new"
        assert stat.S_IMODE(target.stat().st_mode) == 0o644
        write_atomic(str(target), b"newer", mode=0o600)
        assert target.read_bytes() == b"newer"
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert [one.name for one in target.parent.iterdir()] == ["file.json"]

    @pytest.mark.parametrize("where", ["write", "fsync", "chmod", "replace"])
    @pytest.mark.parametrize("old", [b"old", None])
    def test_a_full_disk_leaves_the_old_content_and_nothing_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, old: bytes | None
    ) -> None:
        target = tmp_path / "file"
        if old is not None:
            target.write_bytes(old)
        before = tree(tmp_path)
        with monkeypatch.context() as broken:
            break_write(broken, where, full_disk)
            with pytest.raises(EnvironmentFailure) as caught:
                write_atomic(target, b"new")
        assert tree(tmp_path) == before
        assert str(caught.value) == f"could not write {target}: {os.strerror(errno.ENOSPC)}"
        assert "free some space" in str(caught.value.hint)

    @pytest.mark.parametrize("where", ["write", "fsync", "chmod", "replace"])
    def test_an_interruption_leaves_the_old_content_and_nothing_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        target = tmp_path / "file"
        target.write_bytes(b"old")
        with monkeypatch.context() as broken:
            break_write(broken, where, interrupted)
            with pytest.raises(KeyboardInterrupt):
                write_atomic(target, b"new")
        assert tree(tmp_path) == {"file": b"old"}

    def test_a_file_in_the_place_of_a_folder_is_one_clear_line(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(EnvironmentFailure) as caught:
            write_atomic(tmp_path / "file" / "inner", b"new")
        assert "\n" not in str(caught.value)


class TestDirectoryAside:
    def fill(self, folder: Path) -> None:
        (folder / "sub").mkdir()
        (folder / "sub" / "b").write_bytes(b"new b")
        (folder / "a").write_bytes(b"new a")

    new = {"out/a": b"new a", "out/sub": b"<folder>", "out/sub/b": b"new b", "out": b"<folder>"}  # noqa: RUF012

    def old(self, tmp_path: Path) -> dict[str, bytes]:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "only-old").write_bytes(b"old")
        return tree(tmp_path)

    @pytest.mark.parametrize("replacing", [False, True])
    def test_the_new_folder_takes_the_place_of_the_old(self, tmp_path: Path, replacing: bool) -> None:
        if replacing:
            self.old(tmp_path)
        with directory_aside(tmp_path / "out") as aside:
            self.fill(aside)
        assert tree(tmp_path) == self.new
        assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o755

    def test_until_the_block_ends_the_old_folder_is_untouched(self, tmp_path: Path) -> None:
        self.old(tmp_path)
        with directory_aside(tmp_path / "out") as aside:
            self.fill(aside)
            assert (tmp_path / "out" / "only-old").read_bytes() == b"old"

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
    def test_an_error_in_the_block_leaves_the_old_folder(self, tmp_path: Path, error: type[Failure]) -> None:
        before = self.old(tmp_path)
        with pytest.raises((error, EnvironmentFailure)), directory_aside(tmp_path / "out") as aside:  # noqa: PT012
            self.fill(aside)
            raise error("stop")
        assert tree(tmp_path) == before

    # the renames: old away, new in; then the folder above is put on disk
    @pytest.mark.parametrize(
        ("where", "number"), [("fsync", 0), ("fsync", 1), ("chmod", 0), ("replace", 0), ("replace", 1)]
    )
    @pytest.mark.parametrize("failure", [full_disk, interrupted])
    def test_a_failure_at_any_step_leaves_the_old_folder_and_nothing_else(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        where: str,
        number: int,
        failure: Callable[..., Any],
    ) -> None:
        before = self.old(tmp_path)
        with monkeypatch.context() as broken:
            broken.setattr(os, where, nth_call(getattr(os, where), number, failure))
            with (
                pytest.raises((EnvironmentFailure, KeyboardInterrupt)),
                directory_aside(tmp_path / "out") as aside,
            ):
                self.fill(aside)
        assert tree(tmp_path) == before

    def test_a_failure_after_the_last_rename_leaves_the_whole_new_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.old(tmp_path)
        synced: list[object] = []
        real = os.fsync
        with monkeypatch.context() as counting:
            counting.setattr(os, "fsync", lambda handle: (synced.append(handle), real(handle)))
            with directory_aside(tmp_path / "first") as aside:
                self.fill(aside)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", nth_call(real, len(synced) - 1, full_disk))
            with pytest.raises(EnvironmentFailure), directory_aside(tmp_path / "out") as aside:
                self.fill(aside)
        assert {name: data for name, data in tree(tmp_path).items() if "first" not in name} == self.new

    def test_a_refusal_inside_the_block_stays_a_refusal(self, tmp_path: Path) -> None:
        with pytest.raises(AccessDenied, match="not you"), directory_aside(tmp_path / "out"):
            raise AccessDenied("not you")
        assert tree(tmp_path) == {}


def test_reading_says_what_is_missing_where(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"no recipe at {tmp_path}/none"):
        read_bytes(tmp_path / "none", what="recipe")
    with pytest.raises(DataError, match="is a folder, not a recipe"):
        read_bytes(tmp_path, what="recipe")
    (tmp_path / "one").write_bytes(b"1")
    assert read_bytes(tmp_path / "one", what="recipe") == b"1"


def test_outputs_are_not_replaced_by_accident(tmp_path: Path) -> None:
    refuse_overwrite(tmp_path / "new", force=False)
    refuse_overwrite(tmp_path, force=True)
    with pytest.raises(ConfigError, match="exists already") as caught:
        refuse_overwrite(tmp_path, force=False)
    assert "--force" in str(caught.value.hint)
