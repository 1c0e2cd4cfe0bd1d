"""Bech32: bytes as letters that survive being read aloud, with a checksum.

Source: BIP 173, without its limit on the length, as age uses it.
"""

from __future__ import annotations

from hauberk.core.errors import DataError

_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6


def encode(prefix: str, data: bytes | bytearray) -> str:
    """``prefix``, the digit 1, the data and a checksum; in capitals where the prefix is."""
    low = prefix.lower()
    values = _regroup(data, 8, 5, pad=True)
    remainder = _remainder(_expanded(low) + values + [0] * _CHECKSUM) ^ 1
    check = [remainder >> 5 * (_CHECKSUM - 1 - place) & 31 for place in range(_CHECKSUM)]
    text = f"{low}1{''.join(_LETTERS[one] for one in values + check)}"
    return text.upper() if prefix.isupper() else text


def decode(text: str) -> tuple[str, bytearray]:
    """The prefix, in the case in which it came, and the data.

    Raises:
        DataError: no Bech32, or the checksum is wrong; what was read is not repeated, it may be a secret.
    """
    low = text.lower()
    if not text.isascii() or text not in (low, text.upper()):
        raise DataError("a key is written in small letters or in capitals, not in both")
    prefix, one, letters = low.rpartition("1")
    if not one or not prefix or len(letters) < _CHECKSUM or not all(33 <= ord(char) <= 126 for char in prefix):
        raise DataError("not a key: it has no prefix, or is too short")
    values = [_LETTERS.find(char) for char in letters]
    if -1 in values:
        raise DataError("not a key: it has letters that keys do not use")
    if _remainder(_expanded(prefix) + values) != 1:
        raise DataError("a key has a letter wrong: its checksum does not fit")
    data = _regroup(values[:-_CHECKSUM], 5, 8, pad=False)
    return text[: len(prefix)], bytearray(data)


def _expanded(prefix: str) -> list[int]:
    return [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]


def _remainder(values: list[int]) -> int:
    """Of the polynomial over GF(32) whose coefficients are ``values``."""
    remainder = 1
    for value in values:
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ value
        for place, term in enumerate(_GENERATOR):
            if top >> place & 1:
                remainder ^= term
    return remainder


def _regroup(data: bytes | bytearray | list[int], width: int, into: int, *, pad: bool) -> list[int]:
    """The same bits in groups of another width."""
    held = bits = 0
    groups = []
    for value in data:
        held = (held << width | value) & (1 << width + into) - 1
        bits += width
        while bits >= into:
            bits -= into
            groups.append(held >> bits & (1 << into) - 1)
    rest = held & (1 << bits) - 1
    if pad and bits:
        groups.append(rest << into - bits)
    elif not pad and (bits >= width or rest):
        raise DataError("not a key: bits are left over")
    return groups
