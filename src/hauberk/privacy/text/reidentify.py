"""The way back: reversible pseudonyms in a file or folder become again what they stand for, for who has a key.

A pure function of its arguments: who may call it is for others to say, before it is called.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hauberk.compute import Here
from hauberk.core.progress import SILENT, Progress
from hauberk.privacy.text.files import Bare, Cell, Reading
from hauberk.privacy.text.policy.keys import TOKEN_LETTERS, WRITING_LETTERS
from hauberk.privacy.text.tokens import OpenTokens
from hauberk.privacy.text.treat.run import Run, TreatedFile
from hauberk.privacy.text.treat.tally import Tally
from hauberk.privacy.text.treat.treatment import Texts

_TOKEN = re.compile(rf"\[(\w{{1,40}}:[a-z2-7]{{{TOKEN_LETTERS}}}(?:#|~[a-z2-7]{{{WRITING_LETTERS}}})?)\]")
_REMEMBERED = 1 << 16


@dataclass(frozen=True)
class Reidentified:
    """What was turned back.

    Args:
        restored: tokens that became values again.
        unknown: tokens that the table does not know, or not to these keys; they stay as they are.
    """

    files: tuple[TreatedFile, ...]
    restored: int
    unknown: int


def reidentify(
    source: str | Path,
    out: str | Path,
    tokens: OpenTokens,
    *,
    reading: Reading | None = None,
    skip: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Reidentified:
    """Turn tokens back; the output appears whole or not at all, for its owner alone (mode 600).

    Args:
        tokens: the table, opened with an identity of one of its readers.
        reading: how files are read, where they do not say it themselves.
        skip: patterns of files in a folder that are left out.

    Raises:
        ConfigError: the output would go over the input or over something else.
        DataError: a file that cannot be read.
        IntegrityError: the table was changed.

    Limits: text and CSV come back to the byte; JSON comes back in value, since a character may be written in
        two ways there; numbers of a Parquet file come back as text. Other replacements do not come back.
    """
    back = _Back(tokens)
    run = Run(
        Path(source),
        Path(out),
        reading or Reading(),
        Here(),
        back,
        back,
        skip=skip,
        overwrite=overwrite,
        mode=0o600,
        progress=progress,
    )
    files = run.carry_out()
    return Reidentified(tuple(files), back.restored, back.unknown)


class _Back:
    """Puts the values back into cells."""

    def __init__(self, tokens: OpenTokens) -> None:
        self._tokens = tokens
        self._known: dict[str, str | None] = {}
        self.restored = self.unknown = 0

    def rule(self, column: str | None) -> str | None:
        return None

    def treat(self, records: Sequence[Sequence[Cell]], file: str) -> tuple[list[Texts], Tally]:
        made: list[Texts] = [[self._cell(cell.text) for cell in cells] for cells in records]
        return made, Tally(records=len(records))

    def _cell(self, text: str) -> str:
        if "[" not in text:
            return text
        whole = _TOKEN.fullmatch(text)
        if whole and whole[1].endswith("#"):
            value = self._value(whole[1])
            return text if value is None else Bare(value)
        return _TOKEN.sub(lambda one: one[0] if (value := self._value(one[1])) is None else value, text)

    def _value(self, name: str) -> str | None:
        if name not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[name] = self._tokens.text(name)
        value = self._known[name]
        self.restored += value is not None
        self.unknown += value is None
        return value
