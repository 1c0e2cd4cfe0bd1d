"""One policy file before it is applied: what it changes of the policies that it stands on.

    format = "hauberk-policy/1"
    name = "Retail bank"
    extends = "house.toml"              this file's changes come after those of house.toml
    profile = "standard"                low, standard, high: where all figures come from
    fail_at = "low"                     the least severity that fails the whole
    waivers_at_most_days = 90           a waiver that is longer does not count

    [trust]
    signers = ["release.pem"]           public keys in PEM, relative to this file
    authorities = ["ca.pem"]
    logs = ["NAME+ID+KEY"]              or a .pub file
    waivers = ["ciso.pub"]

    [rules.robustness.worst-case]
    least = 0.5
    severity = "critical"

    [rules.property.traceable]
    use = false
    because = "the model never leaves this house"

Layers merge like layers of paint: what a later one says covers what an earlier one said, key by key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hauberk.assurance.finding import SEVERITIES
from hauberk.assurance.rule import PROFILES
from hauberk.assurance.trust import LISTS, check_lists
from hauberk.core.errors import ConfigError, check_known
from hauberk.core.files import read_bytes
from hauberk.core.settings import require_count

FORMAT = "hauberk-policy/1"
OWN = ("use", "because", "severity")
_KEYS = ("format", "name", "extends", "profile", "fail_at", "waivers_at_most_days", "trust", "rules")
_PLAIN = ("name", "profile", "fail_at", "waivers_at_most_days")
_DEEPEST = 8  # files that stand on each other; more is a mistake


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Changes, each optional.

    Args:
        plain: ``name``, ``profile``, ``fail_at``, ``waivers_at_most_days`` as far as they are given.
        trust: lists as far as they are given; each text with the folder it is relative to.
        rules: changes by rule: ``use``, ``because``, ``severity`` and the rule's own parameters.
    """

    plain: Mapping[str, Any] = field(default_factory=dict)
    trust: Mapping[str, tuple[tuple[Path, str], ...]] = field(default_factory=dict)
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def merge(self, later: Layer) -> Layer:
        """This with the later one's changes over it; associative, and the empty layer changes nothing."""
        rules = {
            name: {**self.rules.get(name, {}), **later.rules.get(name, {})}
            for name in dict.fromkeys([*self.rules, *later.rules])
        }
        return Layer(plain={**self.plain, **later.plain}, trust={**self.trust, **later.trust}, rules=rules)


def read_layer(path: str | Path, *, _below: tuple[Path, ...] = ()) -> Layer:
    """A policy file with everything it extends.

    Raises:
        DataError: no file.
        UnknownName: a key that does not exist.
        ConfigError: no TOML, a value that cannot be, a rule that is switched off and set at once, files that
            extend each other in a circle.
    """
    path = Path(path).resolve()
    if path in _below or len(_below) >= _DEEPEST:
        raise ConfigError(f"{path} extends itself, or more than {_DEEPEST} files stand on each other")
    where = str(path)
    data = read_bytes(path, what="policy")
    try:
        document = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{where} is no TOML: {error}") from None
    own = parse_layer(document, folder=path.parent, where=where)
    base = document.get("extends")
    if base is None:
        return own
    if not isinstance(base, str) or not base:
        raise ConfigError(f"{where}: extends must be the path of a policy, got {base!r}")
    return read_layer(path.parent / base, _below=(*_below, path)).merge(own)


def parse_layer(document: Mapping[str, Any], *, folder: Path, where: str) -> Layer:
    """One file's changes; raises as ``read_layer``."""
    if document.get("format") != FORMAT:
        raise ConfigError(
            f"{where}: format is {document.get('format')!r}, this version reads '{FORMAT}'",
            hint=f'begin the file with: format = "{FORMAT}"',
        )
    check_known(document, _KEYS, what="key", where=where)
    plain = {name: document[name] for name in _PLAIN if name in document}
    _check_plain(plain, where)
    trust = document.get("trust", {})
    if not isinstance(trust, dict):
        raise ConfigError(f"{where}: trust must be a table, [trust]")
    check_known(trust, LISTS, what="key", where=f"{where}, [trust]")
    lists = check_lists(trust, f"{where}, [trust]")
    rules = {name: _changes(one, f"{where}, [rules.{name}]") for name, one in _flat(document, where).items()}
    return Layer(
        plain=plain,
        trust={name: tuple((folder, text) for text in texts) for name, texts in lists.items()},
        rules=rules,
    )


def _check_plain(plain: Mapping[str, Any], where: str) -> None:
    if not isinstance(plain.get("name", "x"), str) or not plain.get("name", "x").strip():
        raise ConfigError(f"{where}: name must be a text, got {plain['name']!r}")
    for name, known, what in (("profile", PROFILES, "profile"), ("fail_at", SEVERITIES, "severity")):
        if name in plain:
            check_known([plain[name]], known, what=what, where=where)
    if "waivers_at_most_days" in plain:
        require_count("waivers_at_most_days", plain["waivers_at_most_days"], where, least=0, most=3660)


def _flat(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Rules by their id, from tables within tables."""
    areas = document.get("rules", {})
    if not isinstance(areas, dict) or not all(isinstance(one, dict) for one in areas.values()):
        raise ConfigError(f"{where}: rules stand in tables such as [rules.robustness.worst-case]")
    return {f"{area}.{name}": one for area, rules in areas.items() for name, one in rules.items()}


def _changes(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} must be a table, got {value!r}")
    if not isinstance(value.get("use", True), bool):
        raise ConfigError(f"{where}: use must be true or false, got {value['use']!r}")
    if "severity" in value:
        check_known([value["severity"]], SEVERITIES, what="severity", where=where)
    because = value.get("because")
    if value.get("use", True):
        if because is not None:
            raise ConfigError(f"{where}: because goes with use = false")
        return dict(value)
    if not isinstance(because, str) or not because.strip():
        raise ConfigError(f"{where}: a rule that is switched off says why", hint='because = "…"')
    others = sorted(value.keys() - {"use", "because"})
    if others:
        raise ConfigError(f"{where} contradicts itself: it is switched off, and sets {others[0]}")
    return dict(value)
