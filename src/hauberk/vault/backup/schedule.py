"""Files that make a machine back up by itself: systemd's services and timers, or one for cron.

Nothing is installed; the files are written for somebody to read and to put into place.
"""

from __future__ import annotations

import getpass
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.errors import ConfigError, check_known

HOURS = {"hour": 1, "day": 24, "week": 168}
"""How often a job can run, and how many hours lie between."""

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\$?")


@dataclass(frozen=True)
class When:
    """When a job runs, in the machine's own time.

    Args:
        every: ``hour``, ``day`` or ``week`` (on Sundays).
        at: ``HH:MM``; of an hourly job the minutes count.

    Raises:
        ConfigError: no such time.
    """

    every: str = "day"
    at: str = "03:15"

    def __post_init__(self) -> None:
        check_known([self.every], HOURS, what="period", where="a schedule")
        if not _TIME.fullmatch(self.at):
            raise ConfigError(f"a time of day is written HH:MM, got {self.at!r}")

    @property
    def calendar(self) -> str:
        """As systemd writes it."""
        hour, minute = self.at.split(":")
        return {
            "hour": f"*-*-* *:{minute}:00",
            "day": f"*-*-* {hour}:{minute}:00",
            "week": f"Sun *-*-* {hour}:{minute}:00",
        }[self.every]

    @property
    def cron(self) -> str:
        """As cron does."""
        hour, minute = (int(one) for one in self.at.split(":"))
        return {"hour": f"{minute} * * * *", "day": f"{minute} {hour} * * *", "week": f"{minute} {hour} * * 0"}[
            self.every
        ]


@dataclass(frozen=True)
class Job:
    """One command at its time.

    Args:
        name: of its files.
        title: in a few words.
        command: program and arguments, with absolute paths.
        writes: folders that it must be able to write to.
    """

    name: str
    title: str
    command: Sequence[str]
    when: When
    writes: Sequence[Path] = ()


@dataclass(frozen=True)
class Runner:
    """As whom the jobs run.

    Args:
        user: of this machine [default: who asks].
        environment_file: with lines NAME=VALUE, such as S3's credentials; mode 600.
    """

    user: str = ""
    environment_file: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "user", self.user or getpass.getuser())
        if not _USER.fullmatch(self.user):
            raise ConfigError(f"{self.user!r} is no user's name")


def systemd_files(jobs: Sequence[Job], runner: Runner) -> dict[str, str]:
    """A service and a timer for each job, by file name.

    The service sees the machine read-only but for the folders that it writes to. A timer that was due while the
    machine was off runs when it is on again.
    """
    found: dict[str, str] = {}
    for job in jobs:
        found[f"{job.name}.service"] = _service(job, runner)
        found[f"{job.name}.timer"] = _sections(
            {
                "Unit": {"Description": f"When: {job.title}"},
                "Timer": {
                    "OnCalendar": job.when.calendar,
                    "RandomizedDelaySec": "10min",
                    "Persistent": "true",
                },
                "Install": {"WantedBy": "timers.target"},
            }
        )
    return found


def cron_file(jobs: Sequence[Job], runner: Runner) -> str:
    """One file for ``/etc/cron.d``; cron mails what a job says on standard error."""
    lines = ["# written by hauberk backup schedule", "SHELL=/bin/sh"]
    for job in jobs:
        command = shlex.join(job.command)
        if runner.environment_file is not None:
            command = f"set -a && . {shlex.quote(str(runner.environment_file))} && {command}"
        escaped = command.replace("%", r"\%")  # cron reads a bare one as the end of the line
        lines += [f"# {job.title}", f"{job.when.cron} {runner.user} umask 077 && {escaped} >/dev/null"]
    return "\n".join(lines) + "\n"


def _service(job: Job, runner: Runner) -> str:
    service = {
        "Type": "oneshot",
        "User": runner.user,
        "ExecStart": " ".join(_quoted(one) for one in job.command),
        "UMask": "0077",
        "Nice": "10",
        "IOSchedulingClass": "idle",
        "CacheDirectory": "hauberk",
        "Environment": "XDG_CACHE_HOME=%C/hauberk",
        "NoNewPrivileges": "true",
        "PrivateTmp": "true",
        "ProtectSystem": "strict",
        "ReadWritePaths": " ".join(_quoted(str(one)) for one in job.writes),
    }
    if runner.environment_file is not None:
        service["EnvironmentFile"] = str(runner.environment_file).replace("%", "%%")
    if not job.writes:
        del service["ReadWritePaths"]
    unit = {"Description": job.title, "After": "network-online.target", "Wants": "network-online.target"}
    return _sections({"Unit": unit, "Service": service})


def _sections(content: Mapping[str, Mapping[str, str]]) -> str:
    parts = [
        "\n".join([f"[{name}]", *(f"{key}={value}" for key, value in lines.items())])
        for name, lines in content.items()
    ]
    return "# written by hauberk backup schedule\n" + "\n\n".join(parts) + "\n"


def _quoted(word: str) -> str:
    """A word as systemd reads it back: quotes, and what it would put something else for, are escaped."""
    if not word.isprintable():
        raise ConfigError(f"{word!r} cannot stand in a unit file")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
