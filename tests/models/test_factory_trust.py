"""Code outside the package runs only where this user has said so."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hauberk.core.errors import AccessDenied, ConfigError, DependencyMissing, UnsupportedModel
from hauberk.models import Classifier, load, read, save
from hauberk.models import factories as room

CODE = """
import pathlib
from torch import nn
pathlib.Path(__file__).with_name("was-run").touch()

def make(width, classes=2):
    return nn.Sequential(nn.Linear(3, width), nn.Linear(width, classes))

class Inner:
    make = staticmethod(make)

def number():
    return 5

def broken():
    raise RuntimeError("my own trouble")
"""
NAME = "outside_network"


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of somebody's module; it notes when it is run."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / f"{NAME}.py").write_text(CODE)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("HAUBERK_CONFIG", str(tmp_path / "config"))
    yield folder
    sys.modules.pop(NAME, None)


def classifier(factory: str = f"{NAME}:make") -> Classifier:
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    architecture = {"factory": factory, "args": {"width": 4}}
    return Classifier(module, input_shape=(3,), labels=2, architecture=architecture).eval()


def test_saving_a_model_with_a_factory_trusts_it(code: Path, tmp_path: Path) -> None:
    made = classifier()
    assert room.trusted() == frozenset()
    save(made, tmp_path / "model")
    assert room.trusted() == {f"{NAME}:make"}
    again = load(tmp_path / "model")
    x = torch.rand(4, 3)
    assert torch.equal(again(x), made(x))
    assert (code / "was-run").exists()


def test_a_package_from_elsewhere_runs_nothing(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(classifier(), tmp_path / "model")
    monkeypatch.setenv("HAUBERK_CONFIG", str(tmp_path / "somebody-else"))
    with pytest.raises(AccessDenied, match="has not been allowed") as caught:
        load(tmp_path / "model")
    assert f"factories.trust('{NAME}:make')" in str(caught.value.hint)
    assert not (code / "was-run").exists()
    assert read(tmp_path / "model").manifest["architecture"]["factory"] == f"{NAME}:make"
    room.trust(f"{NAME}:make")
    assert load(tmp_path / "model").num_classes == 2


def test_trust_is_for_one_function_and_not_for_its_module(code: Path, tmp_path: Path) -> None:
    room.trust(f"{NAME}:make")
    for other in (f"{NAME}:number", f"{NAME}:make2", "os:system"):
        with pytest.raises(AccessDenied):
            room.call_trusted(other, {})


def test_no_hint_to_paste_can_carry_somebodys_commands(code: Path) -> None:
    """The hint is a shell command with the factory's name in it, and the name is the package's."""
    for name in ("a:f'); import os; os.system('true", 'a:f"; true; "', "a:$(true)", "a:`true`", "a:f\x1b[2J"):
        with pytest.raises(ConfigError, match="module:function") as caught:
            room.call_trusted(name, {})
        assert caught.value.hint is None


def test_a_factory_that_is_no_name_is_refused_before_anything_is_written(code: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="module:function"):
        save(classifier("outside_network.make"), tmp_path / "model")
    assert not (tmp_path / "model").exists()
    assert room.trusted() == frozenset()


def test_the_trust_file_is_private_and_readable_by_people(code: Path, tmp_path: Path) -> None:
    for one in ("b:f", "a:f", "b:f"):
        room.trust(one)
    target = tmp_path / "config" / "trusted-factories.txt"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.read_text().splitlines()[1:] == ["a:f", "b:f"]
    target.write_text("# a note\n\n  a:f  \n#b:f\n")
    assert room.trusted() == {"a:f"}


@pytest.mark.parametrize(
    "name", ["", "a", "a.b", ":f", "a:", "a:f()", "a b:f", "a:f\nb:g", "a/b:f", "a..b:f", "#a:f"]
)
def test_what_is_no_factory_name_cannot_be_trusted(code: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="module:function"):
        room.trust(name)
    assert room.trusted() == frozenset()


@pytest.mark.parametrize(
    ("name", "args", "error", "why"),
    [
        ("no_such_module_here:make", {}, DependencyMissing, "cannot be imported"),
        (f"{NAME}:nothing", {}, ConfigError, "has no 'nothing'"),
        (f"{NAME}:make", {}, ConfigError, "refused its arguments"),
        (f"{NAME}:make", {"widht": 4}, ConfigError, "refused its arguments"),
        (f"{NAME}:number", {}, UnsupportedModel, "returned int"),
        (f"{NAME}:broken", {}, RuntimeError, "my own trouble"),
    ],
)
def test_each_mistake_has_its_error(
    code: Path, name: str, args: dict[str, Any], error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        room.call(name, args)


def test_a_missing_module_says_how_to_find_it(code: Path) -> None:
    with pytest.raises(DependencyMissing) as caught:
        room.call("no_such_module_here:make", {})
    assert "PYTHONPATH" in str(caught.value.hint)


def test_a_function_may_stand_inside_a_class(code: Path) -> None:
    assert isinstance(room.call(f"{NAME}:Inner.make", {"width": 4}), nn.Module)


def test_settings_lie_in_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    monkeypatch.setenv("HAUBERK_CONFIG", "")
    assert room.settings_folder() == tmp_path / ".config" / "hauberk"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert room.settings_folder() == tmp_path / "xdg" / "hauberk"
    monkeypatch.setenv("HAUBERK_CONFIG", str(tmp_path / "own"))
    assert room.settings_folder() == tmp_path / "own"
