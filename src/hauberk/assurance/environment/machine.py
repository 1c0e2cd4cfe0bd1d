"""What this interpreter and this machine make easier for an attacker.

Only what can be read without rights is looked at, and nothing is changed. What is said holds for the process
that looks: run it as the user, and with the variables, with which the server or the training runs.
"""

from __future__ import annotations

import os
import resource
import ssl
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from hauberk.assurance.finding import Severity
from hauberk.assurance.text import Text, same

_ENDS = {  # the last day with fixes for security, by the release schedules (PEP 569 and those after it)
    (3, 8): date(2024, 10, 31),
    (3, 9): date(2025, 10, 31),
    (3, 10): date(2026, 10, 31),
    (3, 11): date(2027, 10, 31),
    (3, 12): date(2028, 10, 31),
    (3, 13): date(2029, 10, 31),
    (3, 14): date(2030, 10, 31),
}
_OFF = ("", "0", "n", "no", "false")
_SWITCHES = {  # variables that open something, and the values with which they do not
    "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": _OFF,
    "HF_DATASETS_TRUST_REMOTE_CODE": _OFF,
    "GIT_SSL_NO_VERIFY": _OFF,
    "PYTHONHTTPSVERIFY": ("", "1"),
    "LD_PRELOAD": ("",),
    "PYTHONINSPECT": ("",),
    "PYTHONHASHSEED": ("", "random"),
}


TITLES = {  # of what is looked at, in sentences; ids stay the same in both languages
    "python": Text("Python", "Python"),
    "assertions": Text("assertions", "断言"),
    "module-folders": Text("module folders", "模块目录"),
    "variables": Text("variables", "环境变量"),
    "user": Text("user", "运行用户"),
    "core-dumps": Text("core dumps", "内存转储"),
    "umask": Text("umask", "新文件权限"),
    "memory": Text("memory", "内存读取"),
    "openssl": Text("OpenSSL", "OpenSSL"),
    "tls": Text("TLS", "TLS"),
}


@dataclass(frozen=True)
class Look:
    """One look.

    Args:
        name: of what was looked at, such as ``core-dumps``.
        severity: how bad it is; None where it is in order.
        found: what there is; ``needed`` is what should be.
        fix: a command, or empty.
    """

    name: str
    severity: Severity | None
    found: Text
    needed: Text
    fix: str = ""


@dataclass(frozen=True)
class Interpreter:
    """What is looked at, as an argument: tests hand in their own.

    Args:
        optimize: 0, or how much of the program's own checks was taken out.
        path: where modules are looked for; ``""`` is the working folder.
        environment: variables.
        uid: of the process; 0 is root.
        core_limit: bytes of a core dump; below 0 without limit.
        umask: of new files, None where it is not known.
        ptrace: 0 lets any process of the same user read this one's memory; None: not known.
        tls: the least version that a connection of this Python agrees to, as ``ssl`` counts.
    """

    version: tuple[int, int] = (sys.version_info.major, sys.version_info.minor)
    optimize: int = sys.flags.optimize
    path: Sequence[str] = field(default_factory=lambda: tuple(sys.path))
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    uid: int = field(default_factory=os.geteuid)
    core_limit: int = field(default_factory=lambda: resource.getrlimit(resource.RLIMIT_CORE)[0])
    umask: int | None = field(default_factory=lambda: _umask())
    ptrace: int | None = field(default_factory=lambda: _ptrace())
    openssl: tuple[int, ...] = ssl.OPENSSL_VERSION_INFO
    tls: int = field(default_factory=lambda: int(ssl.create_default_context().minimum_version))


def look(interpreter: Interpreter | None = None, *, today: date) -> list[Look]:
    """All looks at an interpreter and its machine, by default this one."""
    own = interpreter or Interpreter()
    return [
        _python(own, today),
        _assertions(own),
        _folders(own),
        _variables(own),
        _user(own),
        _cores(own),
        _new_files(own),
        _memory(own),
        _openssl(own),
        _tls(own),
    ]


def _python(own: Interpreter, today: date) -> Look:
    needed = Text("a Python that still gets fixes", "仍有安全修复的 Python 版本")
    name, end = ".".join(map(str, own.version)), _ENDS.get(own.version)
    over = own.version < min(_ENDS) if end is None else today > end
    if not over:
        return Look("python", None, same(f"Python {name}"), needed)
    found = Text(f"Python {name} gets no fixes any more", f"Python {name} 已停止安全修复")
    return Look("python", "high", found, needed)


def _assertions(own: Interpreter) -> Look:
    needed = Text("libraries keep the checks that they wrote as assertions", "保留各库以断言形式写下的检查")
    if not own.optimize and not own.environment.get("PYTHONOPTIMIZE"):
        return Look("assertions", None, Text("assertions are checked", "断言生效"), needed)
    found = Text("-O or PYTHONOPTIMIZE takes assertions out", "-O 或 PYTHONOPTIMIZE 去掉了断言")
    return Look("assertions", "medium", found, needed, "unset PYTHONOPTIMIZE")


def _folders(own: Interpreter) -> Look:
    """Folders of modules in which others may write, or that are reached through such a folder."""
    needed = Text("only their owner writes to folders of modules", "模块目录只有其所有者可写")
    wide = sorted({str(one) for place in own.path for one in _writable(place)})
    if not wide:
        return Look("module-folders", None, Text("others may not write there", "其他用户不可写"), needed)
    shown = ", ".join(wide[:3]) + (f" (+{len(wide) - 3})" if len(wide) > 3 else "")
    found = Text(f"others may write to {shown}", f"其他用户可写：{shown}")
    return Look("module-folders", "critical", found, needed, f"chmod go-w {' '.join(wide[:3])}")


def _writable(place: str) -> Iterator[Path]:
    path = Path(place or ".").resolve()
    for one in (path, *path.parents):
        try:
            facts = os.stat(one)
        except OSError:
            continue
        # in a folder above with the sticky bit, like /tmp, only a file's owner renames it
        sticky = facts.st_mode & stat.S_ISVTX and one != path
        if facts.st_mode & 0o022 and not sticky:
            yield one


def _variables(own: Interpreter) -> Look:
    needed = Text("no variable that opens something", "没有削弱安全的环境变量")
    found = [name for name, off in _SWITCHES.items() if own.environment.get(name, "").lower() not in off]
    if not found:
        return Look("variables", None, Text("none is set", "未设置"), needed)
    listed = ", ".join(found)
    severity: Severity = "medium" if found == ["PYTHONHASHSEED"] else "high"
    told = Text(f"set: {listed}", f"已设置：{listed}")
    return Look("variables", severity, told, needed, f"unset {' '.join(found)}")


def _user(own: Interpreter) -> Look:
    needed = Text("a user of its own, without rights", "使用无特权的专用用户")
    if own.uid:
        return Look("user", None, Text("an ordinary user", "普通用户"), needed)
    return Look("user", "medium", Text("runs as root", "以 root 身份运行"), needed, "sudo -u USER COMMAND")


def _cores(own: Interpreter) -> Look:
    needed = Text("a crash leaves no keys in files", "崩溃时不把密钥写入文件")
    if own.core_limit == 0:
        return Look("core-dumps", None, Text("no core dumps", "不写内存转储"), needed)
    return Look("core-dumps", "low", Text("core dumps are written", "会写内存转储"), needed, "ulimit -c 0")


def _new_files(own: Interpreter) -> Look:
    needed = Text("others may not write new files", "其他用户不可写新文件")
    if own.umask is None:
        return Look("umask", None, Text("not known on this system", "本系统上未知"), needed)
    wide = own.umask & 0o022 != 0o022
    return Look("umask", "medium" if wide else None, same(f"umask {own.umask:03o}"), needed, "umask 027")


def _memory(own: Interpreter) -> Look:
    needed = Text("programs of the same user cannot read its memory", "同一用户的其他程序不能读取其内存")
    if own.ptrace == 0:
        fix = "sysctl kernel.yama.ptrace_scope=1"
        return Look("memory", "low", same("kernel.yama.ptrace_scope=0"), needed, fix)
    unknown = Text("not known on this system", "本系统上未知")
    return Look("memory", None, unknown if own.ptrace is None else Text("restricted", "已限制"), needed)


def _openssl(own: Interpreter) -> Look:
    needed = Text("OpenSSL 3, which gets fixes", "仍有修复的 OpenSSL 3")
    name = same(f"OpenSSL {'.'.join(map(str, own.openssl[:3]))}")
    return Look("openssl", "high" if own.openssl < (3, 0) else None, name, needed)


def _tls(own: Interpreter) -> Look:
    needed = Text("connections of at least TLS 1.2", "连接至少使用 TLS 1.2")
    least = ssl.TLSVersion(own.tls)
    old = least != ssl.TLSVersion.MAXIMUM_SUPPORTED and least < ssl.TLSVersion.TLSv1_2
    return Look("tls", "high" if old else None, same(f"{least.name}+"), needed)


def _umask() -> int | None:
    """Read, not set and set back: another thread may write a file meanwhile."""
    try:
        status = Path("/proc/self/status").read_text("ascii", errors="replace")
    except OSError:
        return None
    said = [line.partition(":")[2].strip() for line in status.splitlines() if line.startswith("Umask:")]
    return int(said[0], 8) if said else None


def _ptrace() -> int | None:
    try:
        return int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text("ascii"))
    except (OSError, ValueError):
        return None
