"""What the commands of ``hauberk access`` share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hauberk.cli.callers import admitted, caller_options

if TYPE_CHECKING:
    from hauberk.access import AccessGate
    from hauberk.access.explaining import Explanation
    from hauberk.vault import Vault

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SPAN = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def vault_options(command: _Command) -> _Command:
    """``--vault``, ``--as`` and ``--api-key-file``."""
    return click.option(
        "--vault", type=click.Path(path_type=Path), default="vault", envvar="HAUBERK_VAULT", metavar="DIR",
        help="The vault [default: $HAUBERK_VAULT, or ./vault].",
    )(caller_options(command))  # fmt: skip


def question_options(command: _Command) -> _Command:
    """NAME, ACTION and MODEL, ``--key`` and the vault's."""
    for one in (
        click.option(
            "--key", default=None, metavar="ID", help="With this one of NAME's keys, whose scopes count too."
        ),
        click.argument("model", required=False, default=""),
        click.argument("action"),
        click.argument("name"),
    ):
        command = one(command)
    return vault_options(command)


def explained(
    verb: str,
    name: str,
    action: str,
    model: str,
    key: str | None,
    vault: Path,
    as_name: str | None,
    api_key_file: Path | None,
) -> Explanation:
    """What access says of a question, for somebody who may see that."""
    from hauberk.access.deciding import Question
    from hauberk.access.explaining import explain

    said = f"{verb} {name} {action} {model}".strip()
    with entered(vault, as_name, api_key_file, "access.view", said) as (opened, _):
        question = Question(action, *split_model(model))
        return explain(opened.database, name, question, key=key, clock=opened.clock)


@contextmanager
def entered(
    vault: Path, as_name: str | None, api_key_file: Path | None, action: str, detail: str
) -> Iterator[tuple[Vault, AccessGate]]:
    """The vault and its gate, after the caller was found to be allowed the action.

    Raises:
        AccessDenied: he is not.
    """
    from hauberk.vault import open_vault

    with open_vault(vault) as opened, admitted(opened, as_name, api_key_file) as gate:
        gate.check(action, detail=detail)
        yield opened, gate


def span(text: str | None) -> timedelta | None:
    """A time span such as ``90d``, ``12h`` or ``30m``.

    Raises:
        ConfigError: it is none.
    """
    from hauberk.core.errors import ConfigError

    if text is None:
        return None
    found = _SPAN.fullmatch(text)
    if not found:
        raise ConfigError(f"'{text}' is no time span", hint="a number with s, m, h, d or w, such as 90d")
    try:
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        raise ConfigError(f"'{text}' is longer than time") from None


def moment(text: str | None) -> datetime | None:
    """A moment: RFC 3339, a date (its beginning, UTC), or a span back from now.

    Raises:
        ConfigError: it is none.
    """
    from hauberk.core.clock import now
    from hauberk.core.errors import ConfigError

    if text is None:
        return None
    if _SPAN.fullmatch(text):
        return now() - (span(text) or timedelta())
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"'{text}' is no moment", hint="2026-01-31, 2026-01-31T09:30:00Z, or 7d for seven days ago"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def at(milliseconds: int | None) -> str | None:
    """A moment for people: RFC 3339 in UTC."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def split_model(text: str) -> tuple[str, tuple[str, ...]]:
    """``MODEL`` or ``MODEL@VERSION`` as a name and the names of a version."""
    model, _, version = text.partition("@")
    return model, (version,) if version else ()
