"""What can be done with a value that was found: one frozen object for each way.

    keep, delete, tag, mask, pseudonym, generalise, random

Each makes of a value another one, knowing the key and the place and nothing else, so that it does not matter in
which order or by whom values are treated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Literal, Protocol

from hauberk.core.errors import ConfigError, check_known
from hauberk.core.settings import configure, require_count
from hauberk.privacy.text.normal import normal
from hauberk.privacy.text.policy.generalising import LEVELS, generalised
from hauberk.privacy.text.policy.keys import Keys


@dataclass(frozen=True)
class Token:
    """A reversible pseudonym and what it stands for.

    Args:
        name: the token without its brackets, which the table knows it by.
        text: as it was written.
        check: by which a second value under the same token is noticed.
    """

    name: str
    text: str
    check: bytes


@dataclass
class Spot:
    """Where a value stands and what there is to treat it with.

    Args:
        keys: None where no key was given.
        place: names the place among all others of the run.
        today: on which ages are counted.
        number: whether the value is written as a number.
        tokens: filled by what is reversible.
    """

    keys: Keys | None
    place: str
    today: date
    number: bool = False
    tokens: list[Token] = field(default_factory=list)

    @property
    def key(self) -> Keys:
        if self.keys is None:
            raise ConfigError(
                "this policy makes pseudonyms or random values, which takes a key",
                hint="--key FILE, with --new-key to make it first",
            )
        return self.keys


class Action(Protocol):
    """One way to treat a value of type ``kind``."""

    def apply(self, kind: str, text: str, spot: Spot) -> str: ...


@dataclass(frozen=True)
class Keep:
    """Leave it."""

    def apply(self, kind: str, text: str, spot: Spot) -> str:
        return text


@dataclass(frozen=True)
class Delete:
    """Nothing in its place."""

    def apply(self, kind: str, text: str, spot: Spot) -> str:
        return ""


@dataclass(frozen=True)
class Tag:
    """``[NAME]``: what it was."""

    def apply(self, kind: str, text: str, spot: Spot) -> str:
        return f"[{kind}]"


@dataclass(frozen=True)
class Mask:
    """Stars for letters and digits, all but the first and last ones; what separates them stays.

    Args:
        first, last: how many stay. A value that has no more than both together, and one more, is masked whole.

    Limits: what stays tells something, and with an address list often who it is.
    """

    first: int = 0
    last: int = 0
    letter: str = "*"

    def __post_init__(self) -> None:
        for name in ("first", "last"):
            require_count(name, getattr(self, name), "mask", least=0)
        if not isinstance(self.letter, str) or len(self.letter) != 1 or self.letter.isalnum():
            raise ConfigError(f"mask: letter is one character, no letter or digit, got {self.letter!r}")

    def apply(self, kind: str, text: str, spot: Spot) -> str:
        places = [place for place, letter in enumerate(text) if letter.isalnum()]
        few = len(places) <= self.first + self.last
        hidden = places if few else places[self.first : len(places) - self.last]
        out = list(text)
        for place in hidden:
            out[place] = self.letter
        return "".join(out) if places else self.letter * len(text)


@dataclass(frozen=True)
class Pseudonym:
    """The same replacement for the same value, in all files, with one key.

    Args:
        form: ``tag`` for ``[NAME:…]``, or ``alike`` for a value of the same kind: a number with a right check
            digit, a name for a name.
        reversible: keep what a tag stands for in a table that is encrypted for its readers.

    Limits: who has the key can test every value he can think of. Without the key, how often a pseudonym comes,
    when and beside what can still tell who it is. What looks alike may be somebody's real number.
    """

    form: Literal["tag", "alike"] = "tag"
    reversible: bool = False

    def __post_init__(self) -> None:
        check_known([self.form], ("tag", "alike"), what="form", where="pseudonym")
        if not isinstance(self.reversible, bool):
            raise ConfigError(f"pseudonym: reversible is true or false, got {self.reversible!r}")
        if self.reversible and self.form != "tag":
            raise ConfigError("pseudonym: only the form 'tag' is reversible", hint='form = "tag"')

    def apply(self, kind: str, text: str, spot: Spot) -> str:
        keys = spot.key
        if self.form == "alike":
            return keys.alike(kind, text)
        name = f"{kind}:{keys.token(kind, text)}"
        if self.reversible:
            if spot.number:
                name += "#"
            elif text != normal(kind, text):
                name += f"~{keys.writing(kind, text)}"
            spot.tokens.append(Token(name, text, keys.check(kind, text)))
        return f"[{name}]"


@dataclass(frozen=True)
class Generalise:
    """Less of it; a tag where it does not say what is asked.

    Args:
        to: ``month``, ``year``, ``decade`` or ``band`` of a birth, ``region`` or ``city`` of an address,
            ``region`` of an identity number, ``network`` of a machine; None for the type's first.
        width: of a band of ages, in years.
    """

    to: str | None = None
    width: int = 10

    def __post_init__(self) -> None:
        require_count("width", self.width, "generalise", most=100)

    def apply(self, kind: str, text: str, spot: Spot) -> str:
        to = self.to or LEVELS[kind][0]
        return generalised(kind, text, to, self.width, spot.today) or f"[{kind}]"


@dataclass(frozen=True)
class Random:
    """A value of the same kind that was drawn for this place alone: nothing can be linked by it."""

    def apply(self, kind: str, text: str, spot: Spot) -> str:
        return spot.key.drawn(kind, text, spot.place)


ACTIONS: dict[str, type[Any]] = {
    "keep": Keep,
    "delete": Delete,
    "tag": Tag,
    "mask": Mask,
    "pseudonym": Pseudonym,
    "generalise": Generalise,
    "random": Random,
}


def action_of(settings: object, *, where: str) -> Action:
    """An action from ``"tag"`` or ``{"action": "mask", "first": 3}``.

    Raises:
        ConfigError: no such action or setting, or one out of range.
    """
    if isinstance(settings, str):
        settings = {"action": settings}
    if not isinstance(settings, Mapping) or not isinstance(settings.get("action"), str):
        raise ConfigError(f'{where}: an action is text or a table with "action", got {settings!r}')
    rest = {name: value for name, value in settings.items() if name != "action"}
    made: Action = configure(ACTIONS, settings["action"], rest, what="action", where=where)
    return made


def name_of(action: Action) -> str:
    """By which the policy calls it."""
    return next(name for name, kind in ACTIONS.items() if type(action) is kind)


def described(action: Action) -> dict[str, Any]:
    """As a policy file would say it, complete."""
    return {"action": name_of(action), **asdict(action)}  # type: ignore[call-overload]


def check_fits(kind: str, action: Action, *, where: str) -> None:
    """Raises ``ConfigError`` where values of this type cannot be treated so."""
    if not isinstance(action, Generalise):
        return
    levels = LEVELS.get(kind)
    if levels is None:
        raise ConfigError(
            f"{where}: {kind} cannot be generalised", hint=f"types that can: {', '.join(sorted(LEVELS))}"
        )
    if action.to is not None:
        check_known([action.to], levels, what="level", where=where)
