"""Groups whose commands are imported when they are called, so that ``--help`` starts without what they need."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that knows its commands by name and one line each.

    Args:
        commands_in: the package that holds ``<name>_command.py`` for each, whose ``command`` is the command.
        one_lines: the commands, in the order in which help shows them.
        sections: the same under headings, for a group with many; in place of ``one_lines``.
        noun: what a command is called in this group.
    """

    def __init__(
        self,
        *args: Any,
        commands_in: str,
        one_lines: Mapping[str, str] | None = None,
        sections: Mapping[str, Mapping[str, str]] | None = None,
        noun: str = "command",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._package, self._noun = commands_in, noun
        self._sections = sections or {f"{noun.capitalize()}s": one_lines or {}}
        self._one_lines = {name: line for part in self._sections.values() for name, line in part.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._one_lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._one_lines:
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name.replace('-', '_')}_command")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in self._one_lines:
            near = difflib.get_close_matches(name, self._one_lines, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"{self._noun}s: {', '.join(self._one_lines)}"
            raise click.UsageError(f"no such {self._noun} '{name}'; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, self._one_lines))
        for heading, part in self._sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(widest), line) for name, line in part.items()])
