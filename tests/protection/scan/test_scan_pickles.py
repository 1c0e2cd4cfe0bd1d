"""Pickles: whatever the real unpickler would import is allowed or found, and nothing is ever run."""

from __future__ import annotations

import contextlib
import io
import pickle
import pickletools
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scan_files import Bomb, good_pickle, rules_of, torch_like, written, zipped

from hauberk.protection.scan import Limits, scan
from hauberk.protection.scan.allowed import CALLED, MENTIONED
from hauberk.protection.scan.machine import Machine
from hauberk.protection.scan.opcodes import Malformed
from hauberk.protection.scan.window import Window

SYSTEM = b"cos\nsystem\n"
DO = b"(S'touch canary'\ntR."

TRICKS = {
    "protocol 0": (SYSTEM + DO, "pickle/dangerous-import"),
    "instance": (b"(S'touch canary'\nios\nsystem\n.", "pickle/dangerous-import"),
    "object": (b"(cos\nsystem\nS'touch canary'\no.", "pickle/dangerous-import"),
    "stack": (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0ctouch canary\x85R.", "pickle/dangerous-import"),
    "memo": (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x940h\x00h\x01\x93\x8c\x0ctouch canary\x85R.",
             "pickle/dangerous-import"),
    "computed name": (b"\x80\x04\x8c\x02oscbuiltins\nstr\n\x8c\x06system\x85R\x93.", "pickle/hidden-name"),
    "escaped name": (b"V\\u006fs\nVsystem\n\x93" + DO, "pickle/hidden-name"),
    "dotted": (b"\x80\x04\x8c\x05torch\x8c\x15serialization.os.open\x93.", "pickle/dangerous-import"),
    "call of a call": (b"ccollections\nOrderedDict\n)R)R.", "pickle/computed-call"),
    "extension": (b"\x80\x02\x82\x01)R.", "pickle/extension"),
    "changes a class": (b"ctorch\nTensor\n}S'numpy'\nNsb.", "pickle/changes-code"),
    "calls a class": (b"ctorch\nFloatStorage\n(I1000000000000\ntR.", "pickle/unusual-call"),
    "memory": (b"cbuiltins\nbytearray\n(I1000000000000\ntR.", "pickle/unusual-call"),
    "unpacks": (b"c_codecs\nencode\n(Vx\nVzip\ntR.", "pickle/unusual-call"),
    "unknown class": (b"csklearn.tree\nDecisionTree\n)R.", "pickle/unlisted-import"),
    "rebuilds by another": (b"ctorch._tensor\n_rebuild_from_type_v2\n(c_codecs\nencode\nNNNtR.",
                            "pickle/unusual-call"),
    "second pickle": (good_pickle() + SYSTEM + DO, "pickle/dangerous-import"),
    "cut short": (SYSTEM + DO[:-1], "pickle/dangerous-import"),
    "cut off": (good_pickle()[:-3], "pickle/malformed"),
    "no instruction": (b"\x80\x04N\xff.", "pickle/malformed"),
    "bytes after it": (good_pickle() + b"\x00" * 8, "pickle/trailing-data"),
}  # fmt: skip


@pytest.mark.parametrize("name", TRICKS)
def test_tricks_are_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data, rule = TRICKS[name]
    assert rule in rules_of(written(tmp_path / "a.pkl", data), libraries=False)
    assert rule in rules_of(written(tmp_path / "a.pt", zipped(torch_like(data))), libraries=False)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_live_bombs_of_all_protocols(protocol: int, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    data = pickle.dumps({"weights": Bomb(canary)}, protocol)
    for name in ("a.pkl", "a.pt", "a.bin", "a.joblib", "weights", "notes.txt"):
        found = scan(written(tmp_path / name, data))
        worst = found.findings[0]
        assert (worst.rule, worst.severity) == ("pickle/dangerous-import", "high")
        assert worst.by == ("hauberk", "picklescan", "fickling")
        assert "system" in worst.message
        assert worst.gains
        assert worst.remedy
    assert not canary.exists()
    pickle.loads(data)  # the bomb was live
    assert canary.exists()


def test_ordinary_pickles_pass(tmp_path: Path) -> None:
    for protocol in range(6):
        assert rules_of(written(tmp_path / "a.pkl", good_pickle(protocol))) == set()


class _Asked(pickle._Unpickler):  # type: ignore[misc,name-defined]  # the one written in Python
    """The real unpickler with harmless stand-ins for all names; keeps what it was asked for."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.asked: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        if module and name:  # nothing can be imported by no name
            self.asked.add(f"{module}.{name}")
        return _Anything

    def persistent_load(self, pid: Any) -> Any:
        return None


class _Anything(dict):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__()

    def __call__(self, *args: Any) -> Any:
        return self

    def __hash__(self) -> int:  # type: ignore[override]
        return 0

    append = extend = add = __call__


def _names(data: bytes) -> tuple[set[str], set[str]]:
    """What the machine noticed, and what of it was reported."""
    heard: list[str] = []
    machine = Machine(
        Window.of(io.BytesIO(data)),
        lambda rule, place, message: heard.append(f"{rule} {message}"),
        limit=10_000,
    )
    try:
        machine.run()
    except Malformed:
        heard.append("malformed")
    return set(machine.names), set(heard)


def _mutations(data: bytes, rng: random.Random, count: int) -> list[bytes]:
    codes = [ord(one.code) for one in pickletools.opcodes]
    made = []
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(changed))
            what = rng.randrange(4)
            if what == 0:
                changed[place] = rng.randrange(256)
            elif what == 1:
                changed[place] = rng.choice(codes)
            elif what == 2:
                changed.insert(place, rng.choice(codes))
            else:
                del changed[place]
            if not changed:
                break
        made.append(bytes(changed))
    return made


def test_whatever_the_unpickler_asks_for_was_seen() -> None:
    """The law behind the scan, on thousands of pickles nobody wrote, with the real unpickler as the judge."""
    rng = random.Random(5)
    seeds = [data for data, _rule in TRICKS.values()]
    seeds += [pickle.dumps(Bomb(Path("x")), protocol) for protocol in range(6)]
    asked_for = 0
    for data in seeds:
        for one in _mutations(data, rng, 60):
            real = _Asked(one)
            with contextlib.suppress(Exception):  # random bytes end in every kind of error
                real.load()
            names, heard = _names(one)
            hidden = any(line.startswith(("pickle/hidden-name", "pickle/extension")) for line in heard)
            for name in real.asked:
                asked_for += 1
                plain = name.isascii() and name.isprintable()
                assert name in names or hidden or not plain, (one, name)
                if name in names and name not in CALLED and name not in MENTIONED:
                    assert any(name in line for line in heard), (one, name)
    assert asked_for > 500


def test_a_pickle_that_is_its_own_thousandfold(tmp_path: Path) -> None:
    data = b"(lp0\n" + b"".join(b"(lp%d\n" % (i + 1) + b"g%d\na" % i * 10 for i in range(12)) + b"."
    assert "pickle/bomb" in rules_of(written(tmp_path / "a.pkl", data), libraries=False)


def test_more_instructions_than_are_followed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pkl", b"\x80\x02" + b"N0" * 5000 + b"N.")
    assert rules_of(path) == set()
    assert "pickle/too-long" in rules_of(path, limits=Limits(opcodes=1000))


@pytest.mark.parametrize("length", [1 << 20, 1 << 40, (1 << 63) - 1, 1 << 63])
@pytest.mark.parametrize("code", [b"\x8e", b"\x8d", b"\x96"])
def test_lengths_that_lie_take_no_memory(code: bytes, length: int, tmp_path: Path) -> None:
    data = b"\x80\x05" + code + length.to_bytes(8, "little") + b"abc."
    assert "pickle/malformed" in rules_of(written(tmp_path / "a.pkl", data), libraries=False)


def test_memory_stays_small(tmp_path: Path) -> None:
    """A file of 400 MB that costs nothing on disk, in a process that may have 300 MB."""
    path = tmp_path / "a.pkl"
    with open(path, "wb") as file:
        file.write(b"\x80\x05\x8e" + (400 << 20).to_bytes(8, "little"))
        file.seek(400 << 20, 1)
        file.write(b"0cos\nsystem\n)R.")
    code = (
        "import resource, sys\n"
        "from hauberk.protection.scan import scan\n"
        "resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))\n"
        "print([one.rule for one in scan(sys.argv[1], libraries=False).findings])\n"
        "assert 'torch' not in sys.modules\n"
    )
    said = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=120)
    assert "pickle/dangerous-import" in said.stdout, said.stderr
