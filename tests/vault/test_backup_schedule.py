"""Timer and cron files: valid by their own tools, and their commands come out of them as they went in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.core.errors import ConfigError
from hauberk.vault.backup.schedule import Job, Runner, When, _quoted, cron_file, systemd_files

TRICKY = [
    sys.executable,
    "-c",
    "import sys; print(sys.argv[1:])",
    'a b"c',
    "50%",
    "$HOME",
    "back\\slash",
    "it's",
]


def job(**changes: object) -> Job:
    given = {"name": "hauberk-backup", "title": "Back up the vault", "command": TRICKY, "when": When()}
    return Job(**{**given, **changes})  # type: ignore[arg-type]


def test_systemd_takes_the_units(tmp_path: Path, absent: Callable[[str, str], None]) -> None:
    if shutil.which("systemd-analyze") is None:
        absent("systemd-analyze", "apt install systemd")
    every = [
        job(name=f"hauberk-{one}", when=When(one, "23:59"), writes=[tmp_path])
        for one in ("hour", "day", "week")
    ]
    for name, text in systemd_files(every, Runner("root", tmp_path / "environment")).items():
        (tmp_path / name).write_text(text)
    units = sorted(str(one) for one in tmp_path.glob("hauberk-*"))
    assert len(units) == 6
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    own = [line for line in done.stderr.splitlines() if "hauberk-" in line]
    assert own == []
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("every", "calendar"), [("hour", "*-*-* *:15:00"), ("week", "Sun *-*-* 03:15:00")])
def test_systemd_reads_the_times(every: str, calendar: str, absent: Callable[[str, str], None]) -> None:
    assert When(every).calendar == calendar
    if shutil.which("systemd-analyze") is None:
        absent("systemd-analyze", "apt install systemd")
    done = subprocess.run(["systemd-analyze", "calendar", calendar], capture_output=True, text=True)
    assert done.returncode == 0
    assert "Next elapse" in done.stdout


def unquoted(text: str) -> str:
    """systemd.service(5), by a second hand: what stands between the quotes, with its escapes undone."""
    assert text[0] == text[-1] == '"'
    out, at, inner = "", 0, text[1:-1]
    while at < len(inner):
        pair = inner[at : at + 2]
        known = {"\\\\": "\\", '\\"': '"', "%%": "%", "$$": "$"}.get(pair)
        assert known is not None or inner[at] not in '\\"%$', pair
        out += known if known is not None else inner[at]
        at += 2 if known is not None else 1
    return out


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])).filter(str.isprintable))
def test_words_come_back_out_of_a_unit(word: str) -> None:
    assert unquoted(_quoted(word)) == word


def test_what_would_make_a_second_line_is_refused() -> None:
    with pytest.raises(ConfigError, match="unit file"):
        _quoted("a\nExecStart=/bin/evil")


def test_crons_shell_runs_the_command(tmp_path: Path) -> None:
    """The line as cron hands it on: cut at the user, %-signs unescaped, then given to the shell."""
    (tmp_path / "environment").write_text("NAME=value\n")
    text = cron_file([job()], Runner("root", tmp_path / "environment"))
    line = text.splitlines()[-1]
    minute, hour, _day, _month, _weekday, user, command = line.split(maxsplit=6)
    assert (minute, hour, user) == ("15", "3", "root")
    assert command.endswith(" >/dev/null")
    shell = command.removesuffix(" >/dev/null").replace("\\%", "%")
    done = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(TRICKY[3:])


def test_cron_itself_takes_the_file(tmp_path: Path) -> None:
    """Without the user's column, which only /etc/cron.d has."""
    if shutil.which("crontab") is None:
        pytest.skip("no crontab")
    lines = cron_file([job(command=["/bin/true"])], Runner("root")).replace(" root umask", " umask")
    (tmp_path / "file").write_text(lines)
    assert subprocess.run(["crontab", "-T", tmp_path / "file"], capture_output=True).returncode == 0


@pytest.mark.parametrize("at", ["25:00", "3:15", "03:60", "03:15:00", ""])
def test_no_time(at: str) -> None:
    with pytest.raises(ConfigError, match="HH:MM"):
        When("day", at)


def test_no_user() -> None:
    with pytest.raises(ConfigError, match="no user's name"):
        Runner("root\nExecStart=/bin/evil")
