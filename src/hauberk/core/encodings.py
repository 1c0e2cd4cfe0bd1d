"""In which encoding a text file is, from its bytes; a file that is in none is refused before it is treated.

UTF-8 (with or without a byte order mark) and GB18030 are read. Wrong guesses would be dangerous here: a text
read in the wrong encoding is full of names that nobody recognises. So a file that is nearly UTF-8 is called
broken UTF-8, although many of its bytes would make characters in GB18030 too.
"""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.errors import ConfigError, DataError
from hauberk.core.files import machine_errors

ENCODINGS = ("utf-8", "gb18030")
_BLOCK = 1 << 20
_FOREIGN_MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_SAMPLE = 1 << 20
_COMMON = 0.9  # of the two-byte characters of real Chinese text, so many are among GB 2312's 7,445


@dataclass(frozen=True)
class TextFile:
    """What one pass over a file's bytes has shown.

    Args:
        encoding: ``utf-8`` or ``gb18030``.
        mark: whether it starts with UTF-8's byte order mark, which is written again.
        digest: ``sha256:<hex>`` of its bytes.
        size_bytes: its length.
    """

    path: Path
    encoding: str
    mark: bool
    digest: str
    size_bytes: int

    @property
    def codec(self) -> str:
        """The name that Python reads and writes it by."""
        return "utf-8-sig" if self.mark else self.encoding


def inspect(path: Path, encoding: str | None = None) -> TextFile:
    """Read a file once and say in which encoding all of it is.

    Args:
        encoding: ``utf-8`` or ``gb18030`` where it is known; None to find out.

    Raises:
        ConfigError: another name of an encoding.
        DataError: the file is in neither, holds a NUL byte, or does not exist.

    Cost: one pass over the file, in blocks of a megabyte; two where it is not UTF-8.

    Limits: a short file may be valid in both; it is then taken for UTF-8.
    """
    wanted = _wanted(encoding)
    if not path.exists():
        raise DataError(f"no file at {path}", path=str(path))
    failed: dict[str, int] = {}
    for name in wanted:
        read = _decoded_blocks(path, name)
        if isinstance(read, TextFile):
            return read
        failed[name] = read
        if encoding is None and name == "utf-8" and not _chinese(_head(path)):
            break
    raise _refused(path, encoding, failed[wanted[0]])


def decoded(path: Path, data: bytes, encoding: str | None = None) -> str:
    """The text of a file that has been read already, without a byte order mark; as ``inspect`` in all else."""
    _check_bytes(path, data, 0)
    wanted = _wanted(encoding)
    failed: dict[str, int] = {}
    for name in wanted:
        try:
            return data.decode(name).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            failed[name] = error.start
        if encoding is None and name == "utf-8" and not _chinese(data[:_SAMPLE]):
            break
    at = failed[wanted[0]]
    raise _broken(path, encoding, at, 1 + data.count(b"\n", 0, at))


def _wanted(encoding: str | None) -> tuple[str, ...]:
    if encoding is not None and encoding not in ENCODINGS:
        raise ConfigError(f"encoding is {' or '.join(ENCODINGS)}, got '{encoding}'")
    return ENCODINGS if encoding is None else (encoding,)


def _decoded_blocks(path: Path, encoding: str) -> TextFile | int:
    """The file, or the byte at which it is something else."""
    decoder = codecs.getincrementaldecoder(encoding)()
    digest, at, mark = hashlib.sha256(), 0, False
    with machine_errors("read", path), open(path, "rb") as file:
        while True:
            block = file.read(_BLOCK)
            if at == 0:
                mark = encoding == "utf-8" and block.startswith(codecs.BOM_UTF8)
            _check_bytes(path, block, at)
            digest.update(block)
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return at - held + error.start
            at += len(block)
            if not block:
                return TextFile(path, encoding, mark, f"sha256:{digest.hexdigest()}", at)


def _head(path: Path) -> bytes:
    with machine_errors("read", path), open(path, "rb") as file:
        return file.read(_SAMPLE)


def _check_bytes(path: Path, block: bytes, at: int) -> None:
    if at == 0:
        for mark, name in _FOREIGN_MARKS.items():
            if block.startswith(mark):
                raise DataError(f"{path} is in {name}", hint=f"iconv -f {name} -t UTF-8 {path} > FILE")
    nul = block.find(b"\0")
    if nul >= 0:
        raise DataError(
            f"{path}: byte {at + nul} is NUL: no text, or text in UTF-16", hint="convert it to UTF-8 first"
        )


def _refused(path: Path, wanted: str | None, at: int) -> DataError:
    with open(path, "rb") as file:
        left, line = at, 1
        while left > 0:
            block = file.read(min(_BLOCK, left))
            line += block.count(b"\n")
            left -= len(block)
    return _broken(path, wanted, at, line)


def _broken(path: Path, wanted: str | None, at: int, line: int) -> DataError:
    what = f"{wanted}" if wanted else "UTF-8, and no GB18030"
    return DataError(
        f"{path}, line {line}: not valid {what} (byte {at})",
        hint="mend the file, or name its encoding: --encoding gb18030",
        line=line,
        byte=at,
    )


def _chinese(sample: bytes) -> bool:
    """Whether these bytes, which are not UTF-8, look like Chinese in GB18030."""
    text = sample.decode("gb18030", errors="replace")
    wide = [letter for letter in text if letter > "\x7f"]
    common = sum(_in_gb2312(letter) for letter in wide)
    return common >= _COMMON * len(wide)


def _in_gb2312(letter: str) -> bool:
    try:
        letter.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
