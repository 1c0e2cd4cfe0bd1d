"""The same application as a Ray Serve deployment, for those who have a Ray cluster.

    from ray import serve
    from hauberk.serving.on_ray import application

    serve.run(application({"net": "/models/net"}, replicas=4), route_prefix="/")

Every replica looks at the places for itself, so they must mean the same on every node.

Limits: Ray's proxy speaks HTTP in place of this server. What ``connections.py`` refuses, slow callers and
ambiguous requests, is left to it, and so is TLS; each replica counts its own metrics.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hauberk.core.errors import DependencyMissing
from hauberk.serving.admitting import Checks
from hauberk.serving.app import App, Scope, Send
from hauberk.serving.bodies import Receive
from hauberk.serving.door import OpenDoor
from hauberk.serving.folders import FolderSource
from hauberk.serving.keeping import Keeper
from hauberk.serving.limits import Limits
from hauberk.serving.metrics import Metrics
from hauberk.serving.rack import Rack
from hauberk.serving.watch import NoWatch


class Replica:
    """An ASGI application that loads its models when it starts, in the loop that will call it.

    Args:
        poll_s: seconds between two looks at the places.
    """

    def __init__(self, places: Mapping[str, str], checks: Checks, limits: Limits, poll_s: float) -> None:
        self._places = {name: Path(place) for name, place in places.items()}
        self._checks, self._limits, self._poll_s = checks, limits, poll_s
        self._app: App | None = None
        self._begun: asyncio.Lock | None = None
        self._looking: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._begun is None:
            self._begun = asyncio.Lock()
        async with self._begun:
            if self._app is None:
                self._app = await self._begin()
        await self._app(scope, receive, send)

    async def _begin(self) -> App:
        metrics = Metrics()
        rack = Rack(self._limits, ThreadPoolExecutor(1, "network"), metrics)
        keeper = Keeper(rack, FolderSource(self._places, self._checks), self._limits, metrics)
        await keeper.begin()
        self._looking = asyncio.create_task(self._look(keeper))
        return App(rack, OpenDoor(), NoWatch(), self._limits, metrics)

    async def _look(self, keeper: Keeper) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            await keeper.renew()


def application(
    places: Mapping[str, str],
    *,
    checks: Checks | None = None,
    limits: Limits | None = None,
    replicas: int = 1,
    poll_s: float = 2.0,
    **deployment: Any,
) -> Any:
    """What ``ray.serve.run`` takes.

    Args:
        places: packages and sealed files by name, as ``FolderSource``.
        deployment: further options of a Ray Serve deployment, such as ``ray_actor_options``.

    Raises:
        DependencyMissing: Ray Serve is not installed.
    """
    try:
        from ray import serve
    except ImportError as error:
        raise DependencyMissing.extra("serving on Ray", "ray") from error
    replica = Replica(places, checks or Checks(), limits or Limits(), poll_s)

    class Deployment:
        """The application is all there is to it."""

    deployed: Any = serve.deployment(name="hauberk", num_replicas=replicas, **deployment)(
        serve.ingress(replica)(Deployment)
    )
    return deployed.bind()
