"""Where all workers are on this machine's loopback: they meet through a file, and nothing listens elsewhere.

Ray Train's own way opens a port of torch's key-value store on every interface, for anybody to write to. Imports
Ray Train; loaded only where that is there.
"""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import ray
import torch.distributed as dist
from ray.train.torch import TorchConfig

_PLAIN: Any = TorchConfig(backend="gloo").backend_cls


@dataclass
class Loopback(TorchConfig):  # type: ignore[misc,unused-ignore]
    """Args:
    folder: private to the user, where the workers meet.
    """

    folder: str = ""

    @property
    def backend_cls(self) -> Any:
        return _Loopback


class _Loopback(_PLAIN):  # type: ignore[misc]
    def on_start(self, worker_group: Any, backend_config: Loopback) -> None:
        place = Path(backend_config.folder, f"meeting-{secrets.token_hex(8)}")  # a new one for each group
        size = len(worker_group)
        ray.get(
            [
                worker_group.execute_single_async(
                    rank, _join, backend_config.backend, str(place), rank, size, backend_config.timeout_s
                )
                for rank in range(size)
            ]
        )


def _join(backend: str, place: str, rank: int, size: int, timeout_s: int) -> None:
    """In a worker: enter the process group."""
    interface = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), None)
    if interface is not None:
        os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = interface
    dist.init_process_group(
        backend, init_method=f"file://{place}", rank=rank, world_size=size, timeout=timedelta(seconds=timeout_s)
    )
