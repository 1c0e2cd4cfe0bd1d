from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common
from hauberk.core.errors import AccessDenied, ConfigError, EnvironmentFailure

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hauberk.serving.figures import Figures, Sample

_PATH = click.Path(path_type=Path)
_MOST_BYTES = 16 << 20
_REFUSED = (401, 403)


@click.command("top", epilog="Example: hauberk top http://127.0.0.1:8080")
@click.argument("url", default="http://127.0.0.1:8080", metavar="[URL]")
@click.option("--every", type=click.FloatRange(0.1, 3600), default=2.0, show_default=True, metavar="S",
              help="Seconds between two looks.")  # fmt: skip
@click.option("--once", is_flag=True, help="Print one look and end.")
@click.option("--ca", type=_PATH, default=None, metavar="CERT.pem", help="Whose servers are believed.")
@click.option(
    "--cert", type=(_PATH, _PATH), default=None, metavar="CERT KEY", help="Of this caller, for --mtls."
)
@click.option("--api-key-file", type=_PATH, default=None, metavar="FILE", help="Its first line is the key.")
@common.json_option
def command(
    url: str,
    every: float,
    once: bool,
    ca: Path | None,
    cert: tuple[Path, Path] | None,
    api_key_file: Path | None,
    as_json: bool,
) -> None:
    """Watch a server: requests, latencies, models, callers who were cut off. Ctrl-C ends it."""
    from hauberk.serving.figures import between

    look = _Looking(url, ca, cert, api_key_file)
    before = look()
    if once or as_json:
        time.sleep(every)
        found = between(before, look())
        if as_json:
            common.print_json(asdict(found))
        else:
            _print(found, url)
        return
    from rich.live import Live

    with Live(_shown(between(before, before), url), screen=True, auto_refresh=False) as screen:
        while True:
            time.sleep(every)
            after = look()
            screen.update(_shown(between(before, after), url), refresh=True)
            before = after


class _Looking:
    """Asks a server for its metrics."""

    def __init__(
        self, url: str, ca: Path | None, cert: tuple[Path, Path] | None, api_key_file: Path | None
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"a server's address begins with http:// or https://, got '{url}'")
        self._request = urllib.request.Request(f"{url.rstrip('/')}/metrics")  # noqa: S310 (checked above)
        if api_key_file is not None:
            from hauberk.core.files import read_bytes

            key = read_bytes(api_key_file, what="file with an API key").decode().partition("\n")[0].strip()
            self._request.add_header("Authorization", f"Bearer {key}")
        self._tls = ssl.create_default_context(cafile=ca) if url.startswith("https") else None
        if cert is not None and self._tls is not None:
            self._tls.load_cert_chain(*cert)
        self._url = url

    def __call__(self) -> Sample:
        from hauberk.serving.figures import Sample

        try:
            with urllib.request.urlopen(self._request, timeout=10, context=self._tls) as answer:  # noqa: S310
                text = answer.read(_MOST_BYTES).decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in _REFUSED:
                raise AccessDenied(f"{self._url} does not show its metrics to this caller") from error
            raise EnvironmentFailure(f"{self._url}/metrics answered {error.code}") from error
        except (OSError, ValueError) as error:
            raise EnvironmentFailure(
                f"{self._url} does not answer: {getattr(error, 'reason', error)}"
            ) from error
        return Sample.parse(text, time.monotonic())


def _print(found: Figures, url: str) -> None:
    from rich.console import Console

    Console().print(_shown(found, url))


def _shown(found: Figures, url: str) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    state = Text(f"{url}  ")
    state.append("ready" if found.ready else "not ready", style="bold green" if found.ready else "bold red")
    memory = "" if found.memory_bytes is None else f"  {found.memory_bytes / 2**20:.0f} MiB"
    state.append(f"  {found.ready} process(es)  {found.connections} connections{memory}")
    requests = Table("status", "requests/s", box=None, title="requests", title_justify="left")
    for status, rate in found.requests_per_s.items():
        requests.add_row(Text(status, style="" if status < "400" else "yellow" if status < "500" else "red"),
                         f"{rate:,.1f}")  # fmt: skip
    models = Table("model", "images/s", "waiting", "a pass", box=None, title="models", title_justify="left")
    for name, (rate, waiting, size) in found.models.items():
        models.add_row(name, f"{rate:,.1f}", f"{waiting:.0f}", "–" if size is None else f"{size:.1f}")
    times = Text(f"\ninference  p50 {_time(found.p50_s)}  p99 {_time(found.p99_s)}")
    times.append(f"\ncut off {found.cut_per_s:.1f}/s  failures {found.failures_per_s:.1f}/s")
    served = Text("\nserved  " + ", ".join(found.versions))
    return Group(state, Text(), requests, Text(), models, times, served)


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.1f} ms"
