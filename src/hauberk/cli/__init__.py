"""The command line: parse, call the library, render. One file per verb, imported when it is used."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the ``hauberk`` command."""
    from hauberk.cli.app import run

    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))
