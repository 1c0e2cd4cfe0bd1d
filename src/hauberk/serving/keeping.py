"""Bringing what is served into accord with what is to be served, while requests go on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from hauberk.core.errors import HauberkError, PolicyViolation
from hauberk.serving.engine import Engine
from hauberk.serving.limits import Limits
from hauberk.serving.logs import tell
from hauberk.serving.metrics import Metrics
from hauberk.serving.offers import Offer, Offers, Source
from hauberk.serving.rack import Rack

_AGAIN_S = 30.0  # a package that was being copied is whole by then
Served = Callable[[Offer, Engine], None]


class Keeper:
    """Looks at a source and changes the rack.

    A version that must not be served, or cannot be loaded, leaves the one before it in service and is tried
    again after a while; the log says why once. What is revoked stops at once, whatever else goes wrong.

    Args:
        served: told of every version before it takes its place; where it raises, the version is not served.
    """

    def __init__(
        self, rack: Rack, source: Source, limits: Limits, metrics: Metrics, *, served: Served | None = None
    ) -> None:
        self._rack, self._source, self._limits, self._metrics = rack, source, limits, metrics
        self._served = served
        self._refused: dict[tuple[str, str], tuple[str, float]] = {}  # why, and when it is tried again
        self._busy = asyncio.Lock()

    async def begin(self) -> None:
        """Everything that is to be served and not revoked, or an error: a server does not start with less.

        Raises:
            HauberkError: a model that must not be served, or the source's own.
            PolicyViolation: all is revoked.
        """
        async with self._busy:
            offers = await asyncio.to_thread(self._source.look)
            if offers.unread:
                raise next(iter(offers.unread.values()))
            for offer in offers.models:
                reason = offers.revoked.get((offer.name, offer.version))
                if reason is None:
                    self._put(offer, await asyncio.to_thread(self._made, offer))
                else:
                    tell(
                        "model-revoked",
                        level=logging.WARNING,
                        model=offer.name,
                        version=offer.version,
                        why=reason,
                    )
            if not self._rack.models():
                raise PolicyViolation("nothing to serve: every model is revoked")

    async def renew(self, *, insist: bool = False) -> None:
        """One look at the source; errors are told, not raised.

        Args:
            insist: try what was refused at once.
        """
        async with self._busy:
            try:
                offers = await asyncio.to_thread(self._source.look)
            except HauberkError as unreadable:
                tell("source-unreadable", level=logging.ERROR, why=str(unreadable))
                return
            self._revoke(offers)
            for name in self._rack.models().keys() - offers.unread.keys():
                self._refused.pop((name, ""), None)
            for name, error in offers.unread.items():
                self._refuse(name, "", error)
            for offer in offers.models:
                await self._switch(offer, offers, insist)
            self._drop(offers)

    def _revoke(self, offers: Offers) -> None:
        for (name, version), reason in offers.revoked.items():
            entry = self._rack.models().get(name, {}).get(version)
            if entry is not None and entry.revoked is None:
                self._rack.revoke(name, version, reason)
                tell("model-revoked", level=logging.WARNING, model=name, version=version, why=reason)

    async def _switch(self, offer: Offer, offers: Offers, insist: bool) -> None:
        entry = self._rack.models().get(offer.name, {}).get(offer.version)
        if entry is not None and entry.digest == offer.digest:
            entry.names = offer.names
            if offer.current and self._rack.current(offer.name) != offer.version:
                self._rack.use(offer.name, offer.version)
                tell("model-current", model=offer.name, version=offer.version)
            return
        _why, again = self._refused.get((offer.name, offer.digest), ("", 0.0))
        if (offer.name, offer.version) in offers.revoked or (time.monotonic() < again and not insist):
            return
        try:
            engine = await asyncio.to_thread(self._made, offer)
        except Exception as error:  # noqa: BLE001 (a model that fails must not take the others down)
            self._refuse(offer.name, offer.digest, error, version=offer.version)
            return
        self._refused.pop((offer.name, offer.digest), None)
        self._put(offer, engine)

    def _refuse(self, name: str, digest: str, error: Exception, **facts: Any) -> None:
        before, _again = self._refused.get((name, digest), ("", 0.0))
        self._refused[name, digest] = str(error), time.monotonic() + _AGAIN_S
        self._metrics.refused(name)
        if str(error) == before:
            return
        if isinstance(error, HauberkError):
            tell("model-refused", level=logging.ERROR, model=name, why=str(error), **facts)
        else:
            tell("model-refused", level=logging.ERROR, model=name, error=error, **facts)

    def _made(self, offer: Offer) -> Engine:
        engine = Engine(offer.load(), self._limits.batch_rows)
        if self._served is not None:
            self._served(offer, engine)
        return engine

    def _put(self, offer: Offer, engine: Engine) -> None:
        self._rack.put(
            offer.name, offer.version, offer.digest, engine, current=offer.current, names=offer.names
        )
        tell("model-served", model=offer.name, version=offer.version, digest=offer.digest,
             batch_ms=round(engine.batch_s * 1000, 3))  # fmt: skip

    def _drop(self, offers: Offers) -> None:
        """What is not offered any more goes, unless it is current because the next version failed."""
        wanted = {(one.name, one.version) for one in offers.models}
        names = {one.name for one in offers.models} | offers.unread.keys()
        gone = [
            (name, version)
            for name, versions in self._rack.models().items()
            for version in versions
            if (name, version) not in wanted and (name not in names or self._rack.current(name) != version)
        ]
        for name, version in gone:
            self._rack.drop(name, version)
            tell("model-dropped", model=name, version=version)
