"""A process that forks pushers, one at a time, so that a test can kill one without waiting for imports.

Each line on standard input names the packages to push, again and again; the answer is the pusher's process id,
and then a line for each push that was acknowledged: the version's number and its digest.
"""

from __future__ import annotations

import os
import sys
from tempfile import TemporaryDirectory


def main(where: str, package: str) -> None:
    from hauberk.vault import create_vault, push

    with TemporaryDirectory() as folder, create_vault(f"{folder}/warm") as warm:
        push(warm, package, "warm")
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            run(where, line.split())
        _say(f"pid {pid}")
        os.waitpid(pid, 0)
        _say("gone")


def run(where: str, packages: list[str]) -> None:
    """Push until killed."""
    from hauberk.vault import open_vault, push

    vault = open_vault(where)
    while True:
        for package in packages:
            version = push(vault, package, "digits").version
            _say(f"{version.number} {version.digest}")


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
