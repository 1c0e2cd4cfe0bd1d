from __future__ import annotations

import click

from hauberk.cli.lazy import LazyGroup

_COMMANDS = {
    "init": "make a new vault and its key",
    "push": "make a package or a sealed file the newest version of a model",
    "pull": "write a version, with everything verified again",
    "list": "list models and their versions",
    "show": "show one model's versions, or one version in full",
    "promote": "let staging, production or another alias name a version",
    "revoke": "take a version out of use for ever",
    "sealing-key": "show which key callers seal requests to its servers with",
    "gc": "clear away what stopped pushes left behind",
    "upgrade": "bring an older vault's tables up to date",
    "doctor": "look at the places of a vault before they are trusted",
}


@click.group(
    "vault",
    cls=LazyGroup,
    commands_in="hauberk.cli.vault",
    one_lines=_COMMANDS,
    epilog="Example: hauberk vault init --vault vault; hauberk vault push models/hard digits --vault vault",
)
def command() -> None:
    """Keep models, encrypted and in immutable versions, and hand out only what was published."""
