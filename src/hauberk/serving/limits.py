"""What one request may cost, and how long anything may take."""

from __future__ import annotations

from dataclasses import dataclass

from hauberk.core.settings import require_count, require_within


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of a server; every default is meant for a public address.

    Args:
        body_bytes: of a request, unpacked too.
        rows: images in one request.
        batch_rows: images in one pass of the network.
        delay_ms: how long a batch may wait for company; 0 takes what has arrived.
        caller_rows_per_s: images that one caller may ask for in a second, in the long run; more are sent away
            with 429. 0 sets no limit.
        queue_rows: images that may wait for one model; more are sent away with 429.
        timeout_s: from the end of a request to its answer.
        receive_s: from the first byte of a request to its last; slow senders are cut off.
        idle_s: how long a connection may say nothing.
        connections: open at once.
        drain_s: how long the server still takes requests once it is told to stop and has said that it is not
            ready, so that balancers notice.
        grace_s: how long requests may go on after that.
    """

    body_bytes: int = 16 << 20
    rows: int = 1024
    batch_rows: int = 64
    delay_ms: float = 0.0
    caller_rows_per_s: float = 0.0
    queue_rows: int = 4096
    timeout_s: float = 30.0
    receive_s: float = 20.0
    idle_s: float = 30.0
    connections: int = 1024
    drain_s: float = 1.0
    grace_s: float = 10.0

    def __post_init__(self) -> None:
        for name, most in (("body_bytes", 1 << 34), ("rows", 1 << 20), ("batch_rows", 1 << 16),
                           ("queue_rows", 1 << 24), ("connections", 1 << 20)):  # fmt: skip
            require_count(name, getattr(self, name), "Limits", most=most)
        for name in ("timeout_s", "receive_s", "idle_s", "grace_s"):
            require_within(name, getattr(self, name), "Limits", "(0, 3600]")
        require_within("drain_s", self.drain_s, "Limits", "[0, 3600]")
        require_within("caller_rows_per_s", self.caller_rows_per_s, "Limits", "[0, 1000000000]")
        require_within("delay_ms", self.delay_ms, "Limits", "[0, 1000]")
