"""A process that forks writers, one at a time, so that a test can kill one without waiting for imports.

Each line on standard input is an order; the answer is the writer's process id, and then a line for each entry
that the log has acknowledged: its number and its text.
"""

from __future__ import annotations

import itertools
import os
import sys


def main(where: str, key: str) -> None:
    from hauberk.ledger.opening import open_log

    with open_log(where, key=key) as warm:
        warm.append([b"warm"])
    for turn, order in enumerate(sys.stdin):
        batch = int(order)
        pid = os.fork()
        if pid == 0:
            write(where, key, turn, batch)
        _say(f"pid {pid}")
        os.waitpid(pid, 0)
        _say("gone")


def write(where: str, key: str, turn: int, batch: int) -> None:
    """Append until killed."""
    from hauberk.ledger.opening import open_log

    log = open_log(where, key=key)
    for step in itertools.count():
        texts = [f"{turn}-{step}-{one}" for one in range(batch)]
        for number, text in zip(log.append([one.encode() for one in texts]), texts, strict=True):
            _say(f"{number} {text}")


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
