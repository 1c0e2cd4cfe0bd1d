"""Notes: a text, and under it one line for each key that has signed it (c2sp.org/signed-note).

Everything here is strict: two different byte strings are never read as the same note, so that what was verified
is what is kept and handed on. Only a newline ends a line; what Unicode calls a line end does not.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from hauberk.core.errors import ConfigError, IntegrityError

KEY_ID_BYTES = 4
_MOST_SIGNATURES = 100  # the specification asks for 16 at least
_LARGEST = 1_000_000  # bytes of a note with its signatures
_MARK = "— "


def refused(what: str) -> IntegrityError:
    """The error of everything that is read here and not in order."""
    return IntegrityError(f"not to be believed: {what}")


def check_name(name: str) -> None:
    """The name of a key is one word without ``+``.

    Raises:
        ConfigError: another name.
    """
    if not _is_name(name):
        raise ConfigError(
            f"a key's name has no spaces, control characters and '+', and is not empty; got {name!r}",
            hint="such as example.com/models",
        )


def _is_name(name: str) -> bool:
    return bool(name) and not any(one == "+" or one.isspace() or one < " " for one in name)


def encode64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def decode64(text: str, *, what: str) -> bytes:
    """Base64 as ``encode64`` writes it, with padding and without a stray bit.

    Raises:
        IntegrityError: anything else.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise refused(f"{what} is not base64") from None
    if encode64(data) != text:
        raise refused(f"{what} is not base64 in its one form")
    return data


@dataclass(frozen=True)
class Signature:
    """One signature line.

    Args:
        name: of the key.
        key_id: 4 bytes that tell keys of one name apart.
        data: the signature; its form belongs to the kind of key.
    """

    name: str
    key_id: bytes
    data: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.key_id) != KEY_ID_BYTES or not self.data:
            raise ConfigError(f"a signature has a key's id of {KEY_ID_BYTES} bytes, and something behind it")

    @property
    def line(self) -> str:
        """As it stands in the note, with its newline."""
        return f"{_MARK}{self.name} {encode64(self.key_id + self.data)}\n"


def parse_signatures(data: bytes) -> tuple[Signature, ...]:
    """Signature lines alone, as a witness answers.

    Raises:
        IntegrityError: not one or more of them.
    """
    return tuple(_parse_line(line) for line in _lines(_text(data)))


@dataclass(frozen=True)
class Note:
    """A text with its signatures. That they are there says nothing: ``verify`` says which of them hold.

    Args:
        text: ends with a newline, which is signed too.
        signatures: one at least.
    """

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        if not self.text.endswith("\n") or not _is_plain(self.text):
            raise ConfigError("the text of a note ends with a newline and has no other control characters")
        if not 1 <= len(self.signatures) <= _MOST_SIGNATURES:
            raise ConfigError(f"a note has 1 to {_MOST_SIGNATURES} signatures, got {len(self.signatures)}")

    def __bytes__(self) -> bytes:
        """The note as it is kept and sent."""
        return (self.text + "\n" + "".join(one.line for one in self.signatures)).encode()

    def add(self, *signatures: Signature) -> Note:
        """The same with further signatures; a line that is there already is not added again."""
        new = [one for one in dict.fromkeys(signatures) if one not in self.signatures]
        return Note(self.text, (*self.signatures, *new))

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note; no signature is verified.

        Raises:
            IntegrityError: not a note, or one of more than 100 signatures or a million bytes.
        """
        whole = _text(data)
        split = whole.rfind("\n\n")
        if split < 0:
            raise refused("there is no empty line before signatures")
        text, below = whole[: split + 1], whole[split + 2 :]
        return cls(text, tuple(_parse_line(line) for line in _lines(below)))


def _text(data: bytes) -> str:
    if len(data) > _LARGEST:
        raise refused(f"it has more than {_LARGEST} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise refused("it is not UTF-8") from None
    if not _is_plain(text):
        raise refused("it has control characters")
    return text


def _is_plain(text: str) -> bool:
    return not any(one < " " and one != "\n" for one in text)


def _lines(text: str) -> list[str]:
    if not text.endswith("\n"):
        raise refused("the last line does not end")
    lines = text[:-1].split("\n")
    if len(lines) > _MOST_SIGNATURES:
        raise refused(f"it has more than {_MOST_SIGNATURES} signatures")
    return lines


def _parse_line(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not space or not _is_name(name):
        raise refused("a line below the text is no signature")
    data = decode64(encoded, what="a signature")
    if len(data) <= KEY_ID_BYTES:
        raise refused("a signature is too short")
    return Signature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])
