"""What ``hauberk data query init`` says about columns: repeatable options NAME=…."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hauberk.privacy.queries import Column


def columns_of(
    bounds: tuple[str, ...], values: tuple[str, ...], open_columns: tuple[str, ...], missing: tuple[str, ...]
) -> dict[str, Column]:
    from hauberk.core.errors import ConfigError, check_known
    from hauberk.privacy.queries import Column

    instead = dict(pairs(missing, "--missing"))
    found: list[Column] = []
    for name, text in pairs(bounds, "--bounds"):
        low, colon, high = text.partition(":")
        if not colon:
            raise ConfigError(f"--bounds takes COL=LOW:HIGH, got '{name}={text}'")
        fill = number(instead[name], "--missing") if name in instead else None
        found.append(Column(name, "number", number(low, "--bounds"), number(high, "--bounds"), (), fill))
    for name, text in pairs(values, "--values"):
        found.append(Column(name, "category", values=tuple(text.split(",")), missing=instead.get(name)))
    found += [Column(name, "open") for name in open_columns]
    check_known(instead, [one.name for one in found], what="column", where="--missing")
    names = [one.name for one in found]
    if len(set(names)) != len(names):
        raise ConfigError("a column is declared twice")
    return {one.name: one for one in found}


def pairs(texts: tuple[str, ...], option: str) -> list[tuple[str, str]]:
    from hauberk.core.errors import ConfigError

    found = [(name, value) for name, _, value in (text.partition("=") for text in texts)]
    for (name, value), text in zip(found, texts, strict=True):
        if not name or not value:
            raise ConfigError(f"{option} takes NAME=…, got '{text}'")
    return found


def number(text: str, option: str) -> float:
    from hauberk.core.errors import ConfigError

    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{option}: '{text}' is not a number") from None
