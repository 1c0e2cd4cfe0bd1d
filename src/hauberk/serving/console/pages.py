"""What a page of the console consists of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from hauberk.serving.console.viewer import Viewer


class Missing(Exception):
    """There is no such page: it was asked for by a name that nothing has."""


@dataclass(frozen=True)
class Form:
    """What was filled in: fields by name, each with all its values."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        """The one value of a field without spaces around it; empty where it was not filled in."""
        return (self.values.get(name) or ("",))[-1].strip()

    def secret(self, name: str) -> str:
        """The value just as it was typed."""
        return (self.values.get(name) or ("",))[-1]

    def all(self, name: str) -> list[str]:
        return [one.strip() for one in self.values.get(name, ()) if one.strip()]


@dataclass(frozen=True)
class Asked:
    """What a page is asked for.

    Args:
        path: the parts of the path that the page's pattern names.
        query: what follows the question mark.
    """

    path: Mapping[str, str] = field(default_factory=dict)
    query: Form = field(default_factory=Form)


@dataclass(frozen=True)
class Done:
    """It was done; the browser goes on to another page.

    Args:
        said: the words ``said.KEY``, shown there.
        to: a path within the console [default: the page on which it was asked].
    """

    said: str
    to: str | None = None


@dataclass(frozen=True)
class Shown:
    """It was done, and here is what came of it; it is not shown again.

    Args:
        template: without its ending.
    """

    template: str
    view: Any


@dataclass(frozen=True)
class Act:
    """Something that can be done on a page.

    Args:
        do: does it, once it was decided that the viewer may.
        action: the permission; None where what is called decides by itself, through ``viewer.vault``.
        detail: what exactly is to be done, for the trail; no secrets.
    """

    do: Callable[[Viewer, Asked, Form], Done | Shown]
    action: str | None
    detail: Callable[[Asked, Form], str] = lambda _asked, _form: ""


@dataclass(frozen=True)
class Concern:
    """Something that somebody should look at.

    Args:
        weight: how bad: ``bad`` is wrong now, ``warn`` will be, ``note`` is good to know.
        key: of the words, with ``values`` in their places; with a number ``count`` among them, ``.one`` and
            ``.other`` are chosen between.
        to: a path within the console where more is told.
    """

    weight: Literal["bad", "warn", "note"]
    key: str
    to: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page.

    Args:
        name: of its template and its words.
        path: within the console, such as ``/access/{name}``.
        view: what its template shows; a whole response for what is no page.
        action: the permission that it takes; None where everybody who is signed in may see it, each what
            he may.
        under: the page in the navigation that it belongs to [default: it stands there itself].
        detail: what the trail says of a look at it [default: its name, and the names in its path].
        acts: by the word that its form sends.
        concerns: what needs attention, for the overview; asked of those who may see the page.
    """

    name: str
    path: str
    view: Callable[[Viewer, Asked], Any]
    action: str | None = None
    under: str | None = None
    detail: Callable[[Asked], str] | None = None
    acts: Mapping[str, Act] = field(default_factory=dict)
    concerns: Callable[[Viewer], Sequence[Concern]] | None = None

    def said(self, asked: Asked) -> str:
        """What the trail says of a look at it."""
        if self.detail is not None:
            return self.detail(asked)
        return " ".join(("console", self.name, *asked.path.values()))

    @property
    def section(self) -> str:
        """Which entry of the navigation is lit."""
        return self.under or self.name
