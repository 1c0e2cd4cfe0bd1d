"""Lines of a text file, one after the other, in bounded memory and with the ends that they have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from hauberk.core.encodings import TextFile
from hauberk.core.errors import DataError

LONGEST_LINE = 1 << 24
"""Characters of a line, a CSV row or a JSON document, unless the caller allows more: 64 MB in memory."""


def opened(file: TextFile) -> TextIO:
    """The file as text, with every line end as it is: ``\\n``, ``\\r\\n`` or ``\\r``."""
    return open(file.path, encoding=file.codec, errors="strict", newline="")


def lines(file: TextFile, longest: int) -> Iterator[str]:
    """Each line with its end; the last one may have none.

    Raises:
        DataError: a line of more than ``longest`` characters, or bytes that changed since they were inspected.
    """
    number = 1
    try:
        with opened(file) as text:
            while line := text.readline(longest + 2):  # room for its end
                if len(line) > longest and len(body(line)) > longest:
                    raise too_long(file, number, longest, "the line")
                yield line
                number += 1
    except UnicodeDecodeError as error:
        raise DataError(f"{file.path} changed while it was read: {error}") from error


def too_long(file: TextFile, number: int, longest: int, what: str) -> DataError:
    """The error for what does not fit into bounded memory."""
    return DataError(
        f"{file.path}, line {number}: {what} has more than {longest:,} characters",
        hint="allow more with --longest-line, if the memory is there: eight bytes a character",
        line=number,
    )


def body(line: str) -> str:
    """The line without its end."""
    if line.endswith("\r\n"):
        return line[:-2]
    return line[:-1] if line.endswith(("\n", "\r")) else line
