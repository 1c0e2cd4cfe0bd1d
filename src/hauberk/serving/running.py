"""A server's life in one process: load, listen, follow its source, stop without dropping anybody.

    look at the source → load and check every model → listen → … → not ready → drain → finish → stop

SIGTERM and Ctrl-C stop it; SIGHUP makes it look at its source at once instead of at the next turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from hauberk.core.settings import require_within
from hauberk.serving.address import Address
from hauberk.serving.app import App, Pages
from hauberk.serving.cors import Cors
from hauberk.serving.door import Door, OpenDoor
from hauberk.serving.keeping import Keeper, Served
from hauberk.serving.limits import Limits
from hauberk.serving.listening import Listener
from hauberk.serving.logs import tell
from hauberk.serving.metrics import Metrics
from hauberk.serving.offers import Source
from hauberk.serving.rack import Rack
from hauberk.serving.sealing import Sealing
from hauberk.serving.tracing import Traces
from hauberk.serving.watch import Memory, Watch, Watched

_TURN_S = 1.0  # how often the figures that are no counters are taken, and the watch tells its other workers


@dataclass(frozen=True, kw_only=True)
class Service:
    """Everything a server consists of.

    Args:
        source: what is to be served.
        address: where it listens.
        door, watch: make whoever decides and whoever looks, within the process and its running loop.
        poll_s: seconds between two looks at the source.
        served: told of every version before it takes its place.
        traces: makes whoever is told of every answer, within the process.
        console: makes what answers below ``/console``; None where there is none.
        cors: which web origins may read answers; None for none.
        sealing: opens requests that are sealed to this server; None where it has no key.
    """

    source: Source
    address: Address
    limits: Limits = field(default_factory=Limits)
    door: Callable[[Metrics], Door] = lambda _metrics: OpenDoor()
    watch: Callable[[Metrics], Watched] = lambda _metrics: Watched()
    poll_s: float = 2.0
    served: Served | None = None
    traces: Callable[[], Traces] | None = None
    console: Callable[[Rack, Metrics, Watch], Pages] | None = None
    cors: Cors | None = None
    sealing: Sealing | None = None

    def __post_init__(self) -> None:
        require_within("poll_s", self.poll_s, "Service", "(0, 3600]")


async def serve(
    service: Service,
    bound: socket.socket,
    *,
    listening: Callable[[], None] = lambda: None,
    stop: asyncio.Event | None = None,
    renew: asyncio.Event | None = None,
) -> None:
    """Serve until told to stop.

    Args:
        bound: not yet listening; closed at the end.
        listening: called when every model is loaded and connections are taken.
        stop, renew: what the signals set, for whoever runs this in a loop of his own.

    Raises:
        HauberkError: a model must not be served, TLS cannot be set up; nothing has been served then.
    """
    stop, renew = stop or asyncio.Event(), renew or asyncio.Event()
    limits, metrics = service.limits, Metrics()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.closing(bound))
        executor = stack.enter_context(ThreadPoolExecutor(1, "network"))
        rack = Rack(limits, executor, metrics)
        rack.ready = False
        keeper = Keeper(rack, service.source, limits, metrics, served=service.served)
        tls = None if service.address.tls is None else service.address.tls.context()
        await keeper.begin()
        door, watched = service.door(metrics), service.watch(metrics)
        if watched.memory is not None:
            await watched.memory.begin()
        traces = None if service.traces is None else stack.enter_context(contextlib.closing(service.traces()))
        console = None if service.console is None else service.console(rack, metrics, watched.watch)
        app = App(
            rack,
            door,
            watched.watch,
            limits,
            metrics,
            tls=tls is not None,
            traces=traces,
            console=console,
            cors=service.cors,
            sealing=service.sealing,
        )
        listener = Listener(app, limits, metrics)
        with _signals(stop, renew):
            await listener.open(bound, tls)
            rack.ready = True
            turns = [
                asyncio.create_task(_looking(keeper, service.poll_s, renew)),
                asyncio.create_task(_observing(metrics, rack, listener)),
            ]
            if watched.memory is not None:
                turns.append(asyncio.create_task(_remembering(watched.memory)))
            tell("listening", url=service.address.url(bound))
            listening()
            await stop.wait()
            rack.ready = False
            metrics.observe(rack.models(), len(listener.connections), ready=False)
            tell("stopping", connections=len(listener.connections))
            await asyncio.sleep(limits.drain_s)
            for turn in turns:
                turn.cancel()
            left = await listener.close(limits.grace_s)
            if watched.memory is not None:
                await watched.memory.end()
            tell("stopped", level=logging.WARNING if left else logging.INFO, cut_off=left)


def run(
    service: Service,
    bound: socket.socket,
    listening: Callable[[], None] = lambda: None,
    *,
    life: int | None = None,
) -> None:
    """``serve`` in a loop of its own: uvloop's where it is installed. Raises as ``serve``.

    Args:
        life: a pipe; when its other end is closed, the server stops.
    """
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    gc.collect()
    gc.freeze()  # modules live as long as the process: the collector need not look at them again and again
    with asyncio.Runner(loop_factory=factory) as runner:
        stop = asyncio.Event()
        if life is not None:
            runner.get_loop().add_reader(life, stop.set)
        runner.run(serve(service, bound, listening=listening, stop=stop))


@contextlib.contextmanager
def _signals(stop: asyncio.Event, renew: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    said = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: renew}
    try:
        for one, event in said.items():
            loop.add_signal_handler(one, event.set)
    except (ValueError, RuntimeError):  # not the main thread: whoever runs it there has the events
        yield
        return
    try:
        yield
    finally:
        for one in said:
            loop.remove_signal_handler(one)


async def _looking(keeper: Keeper, poll_s: float, renew: asyncio.Event) -> None:
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(renew.wait(), poll_s)
        told = renew.is_set()
        renew.clear()
        await keeper.renew(insist=told)


async def _observing(metrics: Metrics, rack: Rack, listener: Listener) -> None:
    while True:
        metrics.observe(rack.models(), len(listener.connections), rack.ready)
        await asyncio.sleep(_TURN_S)


async def _remembering(memory: Memory) -> None:
    while True:
        await asyncio.sleep(_TURN_S)
        await asyncio.shield(memory.turn())  # one that is under way is finished; the end waits for it
