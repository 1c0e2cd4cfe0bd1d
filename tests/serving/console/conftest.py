"""One server with a console that all tests of a worker share, and a browser in which people are signed in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from model_servers import Server, running

from hauberk.access import Access, open_access
from hauberk.access.granting import grant
from hauberk.access.identities import add
from hauberk.access.sessions import Sessions
from hauberk.serving.address import Address
from hauberk.serving.guard.policy import GuardPolicy
from hauberk.serving.limits import Limits
from hauberk.serving.of_vault import Callers, service_of
from hauberk.vault import Vault, create_vault

PASSWORD = "correct horse battery"
PEOPLE = {
    "ada": ("admin",),
    "mia": ("release-manager",),
    "max": ("release-manager",),
    "otto": ("auditor",),
    "vera": ("viewer",),
    "nobody": (),
}


@dataclass
class House:
    """A vault that is served, with people in it.

    Args:
        stocked: what of it is a model, by C2's ``stocked``.
    """

    vault: Vault
    access: Access
    server: Server
    sessions: Sessions

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def cookie(self, name: str) -> str:
        """A session, as if somebody had signed in."""
        return self.sessions.begin(name, "password and code", "127.0.0.1")

    def lines(self, **equal: Any) -> list[Any]:
        """Lines of the trail with these fields."""
        from hauberk.access.trail.reading import lines

        found = [one for one, _hash in lines(self.vault.database)]
        return [one for one in found if all(getattr(one, key) == value for key, value in equal.items())]


@contextmanager
def house_in(folder: Path, nets: tuple[Path, Path]) -> Iterator[House]:
    """A vault with ``face``, two people of whom must agree to what is in production; served with a console."""
    with create_vault(folder / "vault") as vault:
        from stocked import stock

        stock(vault, nets, folder)
        vault.settings = replace(vault.settings, policy=replace(vault.policy, approvals=1))
        for name, roles in PEOPLE.items():
            add(vault.database, name)
            for role in roles:
                grant(vault.database, role, name)
        add(vault.database, "nightly", "service")
        grant(vault.database, "predictor", "nightly", "digits")
        access = open_access(vault)
        service = service_of(
            vault,
            ["digits"],
            [],
            policy=GuardPolicy(),
            callers=Callers(),
            address=Address(port=0),
            limits=Limits(drain_s=0.0, grace_s=2.0),
            poll_s=3600.0,
        )
        with running(service) as server:
            yield House(vault, access, server, Sessions(vault.database))


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, nets: tuple[Path, Path]) -> Iterator[House]:
    """Shared by all tests of a worker: leave it as it was found, or use names of your own."""
    with house_in(tmp_path_factory.mktemp("house"), nets) as found:
        yield found


# Not for all tests of a worker: while Playwright is open a loop runs, and tests with loops of their own cannot.
@pytest.fixture(scope="module")
def _browser() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        yield "Playwright"
        return
    if chromium is None:
        yield "Chromium"
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
        )
        yield browser
        browser.close()


@pytest.fixture
def browser(_browser: Any, absent: Callable[[str, str], None]) -> Any:
    """Debian's Chromium, without a window."""
    if isinstance(_browser, str):
        absent(_browser, "apt-get install chromium, pip install playwright")
    return _browser


@dataclass
class Visit:
    """A page in a browser, and what it said and fetched meanwhile."""

    page: Any
    house: House
    said: list[str]
    fetched: list[str]

    def go(self, path: str) -> Any:
        """The answer to ``/console`` + path."""
        return self.page.goto(f"{self.house.url}/console{path}")

    @property
    def text(self) -> str:
        return str(self.page.inner_text("body"))

    def across(self) -> int:
        """How far the page reaches to the right."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))


@pytest.fixture
def visit(browser: Any, house: House) -> Iterator[Callable[..., Visit]]:
    """``visit("ada", lang="zh", width=390, theme="dark", script=False)``: a browser of her own, signed in."""
    contexts = []
    visits = []

    def start(
        name: str | None = None,
        *,
        lang: str = "en",
        width: int = 1280,
        theme: str = "light",
        script: bool = True,
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            locale={"en": "en-GB", "zh": "zh-CN"}[lang],
            color_scheme=theme,
            java_script_enabled=script,
            timezone_id="UTC",
        )
        contexts.append(context)
        if name is not None:
            context.add_cookies([{"name": "hauberk-session", "value": house.cookie(name), "url": house.url}])
        found = Visit(context.new_page(), house, [], [])
        found.page.set_default_timeout(20_000)
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("request", lambda request: found.fetched.append(request.url))
        visits.append(found)
        return found

    yield start
    for context in contexts:
        context.close()
    for one in visits:
        assert all(url.startswith(f"{house.url}/") for url in one.fetched), one.fetched


def serious(visit: Visit) -> list[str]:
    """What axe finds, moderate or worse, in words."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(visit.page).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in ("moderate", "serious", "critical")
        for node in one["nodes"]
    ]
