"""OSV's own service, asked over the network: only where somebody asks for it.

The service is told the names and versions of the packages, nothing else. It says which advisories there are;
whether a version is meant is judged here, as it is with a snapshot.

Source: google.github.io/osv.dev: POST /v1/querybatch, GET /v1/vulns/{id}.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

from hauberk.assurance.environment.advisories import ECOSYSTEM, Advisory, parse
from hauberk.assurance.environment.packages import Package
from hauberk.core.canonical import parse_json
from hauberk.core.errors import ConfigError, DataError, EnvironmentFailure

SERVICE = "https://api.osv.dev"
_BATCH = 1000  # the service takes no more at once
_LARGEST = 64 << 20
_MOST_PAGES = 100


def ask(
    packages: Sequence[Package], *, service: str = SERVICE, timeout_s: float = 30.0
) -> dict[str, list[Advisory]]:
    """What the service says about packages whose version is known, by name; without withdrawn advisories.

    Raises:
        EnvironmentFailure: the service is not reached or refuses; nothing is known then.
        DataError: it answers something else than it should.
        ConfigError: ``service`` is neither https nor on this machine.

    Cost: one request for each 1000 packages, and one for each advisory.
    """
    _check(service)
    asked = [one for one in packages if one.parsed is not None]
    by_package: dict[str, dict[str, Advisory]] = {}
    known: dict[str, Advisory] = {}
    for start in range(0, len(asked), _BATCH):
        for package, name in _names(asked[start : start + _BATCH], service, timeout_s):
            if name not in known:
                where = f"{service}/v1/vulns/{urllib.parse.quote(name, safe='')}"
                known[name] = parse(_fetch(where, None, timeout_s), where=where)
            if known[name].withdrawn is None:
                by_package.setdefault(package.name, {})[name] = known[name]
    return {name: list(found.values()) for name, found in by_package.items()}


def _check(service: str) -> None:
    parts = urllib.parse.urlsplit(service)
    own = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme != "https" and not own:
        raise ConfigError(f"OSV is asked over https, got '{service}': on the way others could leave flaws out")


def _names(packages: Sequence[Package], service: str, timeout_s: float) -> Iterator[tuple[Package, str]]:
    """Each package with the advisories about it; a long answer comes in pages."""
    waiting = [(one, "") for one in packages]
    where = f"{service}/v1/querybatch"
    for _ in range(_MOST_PAGES):
        if not waiting:
            return
        answer = _fetch(where, {"queries": [_query(*one) for one in waiting]}, timeout_s)
        more = []
        for (package, _token), one in zip(waiting, _results(answer, len(waiting), where), strict=True):
            yield from ((package, each["id"]) for each in one.get("vulns") or [])
            if one.get("next_page_token"):
                more.append((package, str(one["next_page_token"])))
        waiting = more
    raise DataError(f"{where} goes on without end")


def _results(answer: dict[str, Any], count: int, where: str) -> list[dict[str, Any]]:
    results = answer.get("results")
    if isinstance(results, list) and len(results) == count:
        found = [{} if one is None else one for one in results]
        if all(isinstance(one, dict) and _ids(one.get("vulns") or []) for one in found):
            return found
    raise DataError(f"{where} answered something else than one result for each of {count} packages")


def _ids(listed: object) -> bool:
    return isinstance(listed, list) and all(
        isinstance(one, dict) and isinstance(one.get("id"), str) for one in listed
    )


def _query(package: Package, token: str) -> dict[str, Any]:
    # without its local part: the service knows 2.6.0, and no 2.6.0+cpu
    version = package.parsed.public if package.parsed is not None else package.version
    query = {"package": {"ecosystem": ECOSYSTEM, "name": package.name}, "version": version}
    return query | ({"page_token": token} if token else {})


def _fetch(url: str, body: dict[str, Any] | None, timeout_s: float) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "hauberk"}
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 (checked: https, or this machine)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            text = answer.read(_LARGEST + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise EnvironmentFailure(f"{url} answered {error.code}", hint=_HINT) from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise EnvironmentFailure(f"no answer from {url}: {reason}", hint=_HINT) from error
    document = parse_json(text, where=url)
    if not isinstance(document, dict):
        raise DataError(f"{url} answered something else than an object")
    return document


_HINT = "without a network: --osv FILE, a copy of OSV's PyPI/all.zip"
