"""What the hooks in ``.pre-commit-hooks.yaml`` run: the files that are about to be committed, one verdict.

    python -m hauberk.integrations.pre_commit scan model.pt weights.safetensors
    python -m hauberk.integrations.pre_commit secrets settings.toml train.py

Exit code 0: nothing was found; 1: something was, or could not be looked at; 2: wrong use. Loads no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from hauberk.core.errors import HauberkError


def main(arguments: list[str]) -> int:
    """Look at every file that pre-commit names; the findings go to standard output, which it shows."""
    if not arguments or arguments[0] not in _CHECKS:
        print(f"error: give {' or '.join(_CHECKS)}, then files", file=sys.stderr)
        return 2
    check = _CHECKS[arguments[0]]
    failed = False
    for name in arguments[1:]:
        try:
            lines = list(check(Path(name)))
        except (HauberkError, OSError) as error:
            lines = [f"{_shown(name)}: could not be looked at: {error}"]
        for line in lines:
            failed = True
            print(line)
    return int(failed)


def _scan(path: Path) -> Iterator[str]:
    from hauberk.protection.scan import scan

    found = scan(path)
    for one in found.findings:
        yield f"{_shown(path)}: {one.severity}: {_shown(one.line)} [{one.rule}]"
        yield f"    an attacker {one.gains}"
        yield f"    {one.remedy}"
    for one_unread in found.unread:
        yield f"{_shown(path)}: could not be looked at: {_shown(one_unread.reason)}"


def _secrets(path: Path) -> Iterator[str]:
    from hauberk.assurance.environment.files import look_at_files

    seen = look_at_files(path)
    if seen.beyond or not seen.looked:
        yield f"{_shown(path)}: could not be looked at"
    for one in seen.exposed:
        if one.what == "secret":
            yield (
                f"{_shown(path)}:{one.line}: an API key, password or private key; take it out and replace it, "
                "it may have been read; 'pragma: allowlist secret' marks what is none"
            )


def _shown(text: str | Path) -> str:
    """A name as it may stand in a terminal: without control characters."""
    return "".join(one if one.isprintable() else "?" for one in str(text))


_CHECKS: dict[str, Callable[[Path], Iterator[str]]] = {"scan": _scan, "secrets": _secrets}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
